//! The pages that `run` and `bench` write, in a real Chromium. Without one, or without `playwright-core`, it says that it
//! skips: `apt-get install chromium`, and `npm ci --ignore-scripts --prefix cli/tests/browser`.

use crate::common::{SAMPLES, arterial, run_into, stderr, stdout};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

fn chromium() -> Option<PathBuf> {
    let path = env::var_os("ARTERIAL_CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    let missing = [path.clone(), Path::new(BROWSER).join("node_modules/playwright-core")];
    match missing.iter().find(|path| !path.exists()) {
        None => Some(path),
        Some(missing) => {
            eprintln!("SKIPPED: no {}: see this test's file", missing.display());
            None
        }
    }
}

fn look_at(chromium: &Path, shots: &Path, pages: &[PathBuf]) -> Output {
    let mut check = Command::new("node");
    check.arg(Path::new(BROWSER).join("check.mjs")).arg(chromium).arg(shots).args(pages);
    check.output().unwrap()
}

/// What a bench writes when it is asked for a page.
fn bench(temp: &Path, name: &str, args: &[&str]) -> PathBuf {
    let page = temp.join(format!("{name}.html"));
    let mut command = arterial();
    command.args(["bench", name]).args(args).arg("--dir").arg(temp).arg("--report").arg(&page);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    page
}

#[test]
fn pages_are_whole_ask_for_nothing_and_can_be_read_everywhere() {
    let Some(chromium) = chromium() else { return };
    let temp = tempfile::tempdir().unwrap();
    let run = temp.path().join("run");
    let output = run_into(&run, &["--input", SAMPLES, "--replicate", "20"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let small = ["--shards", "2", "--seconds", "1", "--devices", "60"];
    let pages = [
        run.join("report.html"),
        bench(temp.path(), "settle", &["--blocks", "2", "--shards", "1", "--runs", "2"]),
        bench(temp.path(), "verify", &["--records", "300", "--receipts", "20", "--shards", "1"]),
        bench(temp.path(), "ingest", &[&small[..], &["--workload", "icu", "--by-cores"]].concat()),
        bench(temp.path(), "pipeline", &[&small[..], &["--slot-ms", "50", "--rate", "500"]].concat()),
    ];
    let shots = env::var_os("ARTERIAL_SHOTS").map_or_else(|| temp.path().to_owned(), PathBuf::from);
    let looked = look_at(&chromium, &shots, &pages);
    assert!(looked.status.success(), "{}{}", stdout(&looked), stderr(&looked));
    assert!(stdout(&looked).contains("5 pages, 0 faults"), "{}", stdout(&looked));
    for look in ["phone-light", "phone-dark", "desk-light", "desk-dark"] {
        let shot = shots.join(format!("pipeline-{look}.png"));
        assert!(fs::metadata(&shot).unwrap().len() > 10_000, "{}", shot.display());
    }
}

/// Each fault alone, in a page that is whole but for it.
#[test]
fn what_is_wrong_with_a_page_is_seen() {
    let Some(chromium) = chromium() else { return };
    let temp = tempfile::tempdir().unwrap();
    let page = bench(temp.path(), "settle", &["--blocks", "1", "--shards", "1"]);
    let whole = fs::read_to_string(page).unwrap();
    let image = "<img src=\"http://127.0.0.1:9/x.png\"></main>";
    let faults: [(&[(&str, &str)], &str); 9] = [
        (&[("</main>", "<div style=\"width:3000px\">x</div></main>")], "wider than the screen"),
        (&[("</main>", image)], "console: "),
        (
            &[
                ("</main>", image),
                ("default-src &#39;none&#39;", "default-src *"),
                ("img-src data:", "img-src *"),
            ],
            "asks for",
        ),
        (&[("</main>", "<svg role=\"img\" viewBox=\"0 0 9 9\"></svg></main>")], "says nothing of itself"),
        (
            &[("</desc>", "</desc><text x=\"40\" y=\"80\">one</text><text x=\"44\" y=\"82\">two</text>")],
            "is written over",
        ),
        (&[("</desc>", "</desc><text x=\"340\" y=\"80\">far too long</text>")], "leaves the drawing"),
        (&[("font: 12px", "font: 5px")], "letters of"),
        (&[("--ink: #1b1f24", "--ink: #cccccc")], "a contrast of"),
        (&[("prefers-color-scheme: dark", "prefers-color-scheme: nothing")], "looks the same"),
    ];
    let mut pages = vec![temp.path().join("whole.html")];
    fs::write(&pages[0], &whole).unwrap();
    for (n, (changes, _)) in faults.iter().enumerate() {
        let mut changed = whole.clone();
        for (from, to) in *changes {
            assert!(changed.contains(from), "{from}");
            changed = changed.replace(from, to);
        }
        pages.push(temp.path().join(format!("broken-{n}.html")));
        fs::write(&pages[n + 1], changed).unwrap();
    }
    let looked = look_at(&chromium, temp.path(), &pages);
    assert_eq!(looked.status.code(), Some(1), "{}{}", stdout(&looked), stderr(&looked));
    let said = stdout(&looked);
    assert!(!said.contains("whole.html"), "{said}");
    for (n, (_, says)) in faults.iter().enumerate() {
        let page = format!("broken-{n}.html");
        assert!(said.lines().any(|line| line.starts_with(&page) && line.contains(says)), "{says}: {said}");
    }
}
