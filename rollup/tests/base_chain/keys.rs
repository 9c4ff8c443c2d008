//! Where keys come from, and that nothing of them is shown.

use crate::{
    ethereum::{self, Ethereum, account},
    nodes::{self},
    stand_in::root,
    suite::{Follower, Host},
};
use arterial_rollup::chain::{
    BaseChain as _, ChainError,
    ethereum::{Account, Connection, Password},
};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

/// The key in the keystore, which everybody knows.
const SECRET: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn password(text: &str) -> Password {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, text).unwrap();
    Password::from_file(&file).unwrap()
}

fn open(path: &Path) -> Result<Account, ChainError> {
    Account::from_keystore(path, &password(nodes::PASSWORD))
}

#[test]
fn a_keystore_opens_with_its_password_alone_and_shows_nothing() {
    let account = account();
    assert_eq!(account.address().to_string(), nodes::ACCOUNT);
    let wrong = Account::from_keystore(&nodes::keystore(), &password("Correct horse")).unwrap_err();
    assert!(wrong.to_string().contains("can't be opened with this password"), "{wrong}");
    assert!(Account::from_keystore(Path::new("/nowhere"), &password("x")).is_err());
    assert!(
        Password::from_env("ARTERIAL_NO_SUCH_VARIABLE").unwrap_err().to_string().contains("ARTERIAL_NO_SUCH")
    );
    let shown = format!("{account:?} {:?} {wrong} {wrong:?}", password(nodes::PASSWORD));
    let digits = SECRET.as_bytes().chunks(8).map(|chunk| std::str::from_utf8(chunk).unwrap());
    for secret in digits.chain([nodes::PASSWORD, "Correct horse"]) {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn a_keystore_that_is_none_is_refused_and_none_makes_it_panic_or_run_for_ever() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("keystore.json");
    let good: Value = serde_json::from_slice(&fs::read(nodes::keystore()).unwrap()).unwrap();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        fs::write(&path, changed.to_string()).unwrap();
        open(&path).unwrap_err().to_string()
    };
    let lengths = "lengths";
    assert!(refused(&|k| k["crypto"]["kdfparams"]["dklen"] = json!(16)).contains(lengths));
    assert!(refused(&|k| k["crypto"]["kdfparams"]["dklen"] = json!(0)).contains(lengths));
    assert!(refused(&|k| k["crypto"]["cipherparams"]["iv"] = json!("00")).contains(lengths));
    assert!(refused(&|k| k["crypto"]["ciphertext"] = json!("")).contains(lengths));
    assert!(refused(&|k| k["crypto"]["kdfparams"]["n"] = json!(1u32 << 31)).contains("too long"));
    assert!(refused(&|k| k["crypto"]["kdfparams"]["n"] = json!(0)).contains("too long"));
    assert!(refused(&|k| k["crypto"]["kdfparams"]["r"] = json!(u32::MAX)).contains("too long"));
    assert!(refused(&|k| k["crypto"]["cipher"] = json!("none")).contains("aes-128-ctr"));
    assert!(refused(&|k| k["crypto"]["mac"] = json!("00")).contains("password"));
    assert!(refused(&|k| k["crypto"] = json!({})).contains("no keystore"));
    fs::write(&path, vec![b' '; 70 << 10]).unwrap();
    assert!(open(&path).unwrap_err().to_string().contains("longer"));
}

#[test]
fn a_remote_signer_signs_and_is_not_believed() {
    let Some(host) = Ethereum::new() else { return };
    // A node that holds the key signs as a signer does.
    let second = Duration::from_secs(5);
    let remote =
        |account: &str| Account::remote(host.anvil.url().parse().unwrap(), account.parse().unwrap(), second);
    let open = |account: Account| {
        let connection =
            Connection::new(ethereum::settings(&[host.anvil.url()]), Arc::new(host.clock.clone())).unwrap();
        connection.open(account, host.chain.contract(), &Follower::key_words(), root(0)).unwrap()
    };
    let mut follower = Follower::new();
    let chain = open(remote(nodes::ACCOUNT));
    follower.turn(&chain, 2).unwrap();
    host.slot();
    follower.turn(&chain, 2).unwrap();
    assert_eq!(follower.settled, 2);
    // It is asked for one account's signature and gives another's, or another transaction.
    let swapped = |from: &'static str, to: &'static str| move |body: &str| body.replace(from, to);
    let liar = crate::proxy::Proxy::changing(&host.anvil.url(), swapped("0x02f9", "0x02f8"));
    let signer = Account::remote(liar.url().parse().unwrap(), nodes::ACCOUNT.parse().unwrap(), second);
    let refused = open(signer).post(&follower.block(3));
    assert!(matches!(refused, Err(ChainError::Signer { .. })), "{refused:?}");
    // It has no such key.
    let nobody = "0x1111111111111111111111111111111111111111";
    assert_eq!(
        format!("{:?}", remote(nobody)),
        format!("Account {{ address: {nobody}, signer: {} }}", host.anvil.url())
    );
}
