//! The code that stands at the contract's address once it is deployed.

use super::{KEY_WORDS, WORD};

/// The code, with a [mark](MARK) and n in place of the verification key's word n.
const TEMPLATE: &[u8] = include_bytes!("../../../contracts/Settlement.runtime.bin");
const MARK: [u8; WORD - 1] = [0xa7; WORD - 1];

/// The words of the verification key that a deployed contract checks proofs with, or `None` when the code at an address
/// is not the settlement contract's.
#[must_use]
pub fn key_in_code(code: &[u8]) -> Option<[[u8; WORD]; KEY_WORDS]> {
    if code.len() != TEMPLATE.len() {
        return None;
    }
    let mut key = [[0; WORD]; KEY_WORDS];
    let (mut template, mut code) = (TEMPLATE, code);
    while let (Some((&expected, template_rest)), Some((&got, code_rest))) =
        (template.split_first(), code.split_first())
    {
        if let Some((&[ref mark @ .., number], template_after)) = template.split_first_chunk::<WORD>()
            && *mark == MARK
        {
            let (word, code_after) = code.split_first_chunk::<WORD>()?;
            *key.get_mut(usize::from(number))? = *word;
            (template, code) = (template_after, code_after);
            continue;
        }
        if expected != got {
            return None;
        }
        (template, code) = (template_rest, code_rest);
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(key: &[[u8; WORD]; KEY_WORDS]) -> (Vec<u8>, Vec<usize>) {
        let mut code = TEMPLATE.to_vec();
        let mut places = vec![0; KEY_WORDS];
        for at in 0..code.len() - WORD {
            if code[at..].starts_with(&MARK) {
                let number = usize::from(code[at + WORD - 1]);
                places[number] = at;
                code[at..at + WORD].copy_from_slice(&key[number]);
            }
        }
        (code, places)
    }

    #[test]
    fn the_key_is_found_and_any_other_byte_is_the_contracts_own() {
        let key = std::array::from_fn(|n| [u8::try_from(n).unwrap() + 1; WORD]);
        let (right, places) = code(&key);
        assert!(places.iter().all(|&place| place > 0), "every word has its place");
        assert_eq!(key_in_code(&right), Some(key));
        for at in 0..right.len() {
            let mut wrong = right.clone();
            wrong[at] ^= 0x40;
            match places.iter().position(|&place| (place..place + WORD).contains(&at)) {
                Some(number) => assert_ne!(key_in_code(&wrong).unwrap()[number], key[number]),
                None => assert_eq!(key_in_code(&wrong), None, "byte {at}"),
            }
        }
        assert_eq!(key_in_code(&right[1..]), None);
        assert_eq!(key_in_code(&[&right[..], &[0]].concat()), None);
        assert_eq!(key_in_code(&[]), None);
    }
}
