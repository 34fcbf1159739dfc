//! Completions and manual pages, as a shell and `man` understand them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use restante_tests::binaries::binary;
use restante_tests::patience::{START, within};
use restante_tests::run::{Ended, command, run};
use tempfile::TempDir;
use tokio::process::Command;

use crate::interop::are_there;
use crate::operations::commands;

/// The programs, and the section of the manual that each belongs to.
const PROGRAMS: [(&str, u8); 3] = [("restante", 8), ("restantectl", 1), ("im-client", 1)];

async fn completions(program: &str, shell: &str) -> Ended {
    let mut command = command(program);
    command.args(["completions", shell]);
    run(command).await.done()
}

async fn man(program: &str, out: &Path) -> Ended {
    let mut command = command(program);
    command.arg("man").arg("--out").arg(out);
    run(command).await
}

/// The pages of a program in a folder that is made for them.
async fn pages(program: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("man");
    man(program, &out).await.done();
    (folder, out)
}

#[tokio::test]
async fn every_program_completes_in_every_shell() {
    for (program, _) in PROGRAMS {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let text = completions(program, shell).await.output;
            assert!(text.contains(program), "{program} {shell}: {text}");
        }
    }
}

/// What bash offers for the last of these words.
async fn offered(words: &[&str]) -> Vec<String> {
    let program = words[0];
    let [.., before, last] = words else {
        panic!("a command and a word");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("completions");
    std::fs::write(&file, completions(program, "bash").await.output).expect("written");
    let script = format!(
        "source {file}\nfunction=$(complete -p {program} | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n\
         COMP_WORDS=({words})\nCOMP_CWORD={at}\n$function {program} '{last}' '{before}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file = file.display(),
        words = words.join(" "),
        at = words.len() - 1,
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-e", "-c", &script]);
    let ended = run(bash).await.done();
    assert_eq!(ended.errors, "");
    ended.output.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn bash_completes_commands_options_and_values() {
    assert_eq!(offered(&["restantectl", "sum"]).await, ["summary"]);
    assert_eq!(offered(&["restantectl", "user", "al"]).await, ["alias"]);
    let options = offered(&["restantectl", "list", "--st"]).await;
    assert_eq!(options, ["--state"]);
    let formats = offered(&["restantectl", "--output", "json"]).await;
    assert_eq!(formats, ["json", "jsonl"]);
    let processes = offered(&["restante", "s"]).await;
    assert_eq!(processes, ["storage", "sip-edge"]);
    assert_eq!(offered(&["im-client", "rec"]).await, ["receive"]);
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    for (program, section) in PROGRAMS {
        let (_folder, out) = pages(program).await;
        let commands = commands(program).await;
        assert!(commands.len() > 5, "the help is understood: {commands:?}");
        for command in commands {
            let name = format!("{program}{command}").replace(' ', "-");
            let page = std::fs::read_to_string(out.join(format!("{name}.{section}")));
            let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
            let name = name.replace('-', "\\-");
            assert!(page.contains(&format!("\n{name} \\- ")), "{page}");
        }
    }
}

#[tokio::test]
async fn man_has_no_complaint_about_any_page() {
    if !are_there(&["man"]) {
        return;
    }
    for (program, _) in PROGRAMS {
        let (_folder, out) = pages(program).await;
        let files = std::fs::read_dir(&out).expect("a folder");
        let files = files.map(|file| file.expect("a file").path());
        let mut man = Command::new("man");
        man.args(["--warnings", "--local-file", "--no-subpages"]);
        man.args(files);
        man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
        let ended = run(man).await.done();
        assert_eq!(ended.errors, "", "{program}");
        assert!(ended.output.contains("SYNOPSIS"), "{}", ended.output);
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    for arguments in [
        &["config", "default"][..],
        &["config", "reference"],
        &["config", "show"],
        &["metrics"],
        &["log-events"],
        &["completions", "bash"],
        &["storage", "--check"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut printing = command("restante");
        printing
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let printing = printing.spawn().expect("restante");
        let ended = within(START, "its end", printing.wait_with_output()).await;
        let ended = ended.expect("restante");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{arguments:?}");
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let file = binary("restantectl");
    let out = file.join("man");
    for (program, code) in [("restante", 74), ("restantectl", 74), ("im-client", 69)] {
        let ended = man(program, &out).await;
        assert_eq!(ended.code, Some(code), "{}", ended.errors);
        let named = format!("{program}: cannot write {}: ", out.display());
        let named = match program {
            "im-client" => format!("{program}: cannot write: {}: ", out.display()),
            _ => named,
        };
        assert!(ended.errors.starts_with(&named), "{}", ended.errors);
    }
}
