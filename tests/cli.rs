//! The command line itself, without a cluster: help, usage errors, completion, and that nothing the
//! user may type panics.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use kubectl_flink::cli::Cli;

use crate::support::{Run, assert_snapshot, flink, program, run, wait_for};

/// Runs the program where no kubeconfig is found.
#[track_caller]
fn offline(args: &[&str]) -> Run {
    run(program().args(args).env("KUBECONFIG", "/nowhere/config").env("HOME", "/nowhere"))
}

/// Every verb and every verb of a verb, as words.
fn verbs() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, path: &[String], into: &mut Vec<Vec<String>>) {
        for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
            let mut path = path.to_vec();
            path.push(child.get_name().to_owned());
            below(child, &path, into);
            into.push(path);
        }
    }
    let mut found = Vec::new();
    let mut command = Cli::command();
    command.build();
    below(&command, &[], &mut found);
    found.sort();
    found
}

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_reads_well_at_80_columns() {
    assert_snapshot("help", &flink(["-h"]).ok().stdout);
    for verb in verbs() {
        let short = flink(verb.iter().map(String::as_str).chain(["-h"])).ok();
        assert_snapshot(&format!("help-{}", verb.join("-")), &short.stdout);
        let long = flink(verb.iter().map(String::as_str).chain(["--help"])).ok();
        let widest = long.stdout.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
        assert!(widest.chars().count() <= 80, "more than 80 columns: {widest}");
    }
}

#[test]
fn help_can_be_asked_for_in_every_way_that_kubectl_and_helm_have() {
    let plain = flink(["install", "-h"]).ok().stdout;
    assert!(plain.starts_with("Install a package as a release\n"));
    for args in [&["help"][..], &["--help"], &["help", "install"], &["install", "--help"]] {
        flink(args).ok().prints("Usage: kubectl flink");
    }
    // Nothing asked is a usage error, with the help on stderr.
    flink([""; 0]).exits(2).says("Usage: kubectl flink");
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_says_what_is_wrong() {
    for (args, says) in [
        (&["upgarde", "demo"][..], "a similar subcommand exists: 'upgrade'"),
        (&["install"], "NAME"),
        (&["install", "demo"], "hint: kubectl flink install demo flink"),
        (&["install", "a", "flink", "--generate-name"], "--generate-name and a NAME exclude each other"),
        (&["install", "demo", "flink", "--wiat"], "a similar argument exists: '--wait'"),
        (&["install", "demo", "flink", "--timeout", "5x"], "not a duration such as 90s, 5m or 1h30m"),
        (&["install", "demo", "flink", "--dry-run=maybe"], "client, server"),
        (&["install", "demo", "flink", "--from-savepoint", "x"], "neither `recorded` nor a path"),
        (&["upgrade", "demo", "--with-savepoint", "--stateless"], "cannot be used with '--stateless'"),
        (&["upgrade", "demo", "--with-savepoint", "--from-savepoint", "recorded"], "cannot be used with"),
        (&["upgrade", "demo", "--reset-values", "--reuse-values"], "cannot be used with"),
        (&["upgrade", "demo", "--savepoint-format", "binary"], "canonical, native"),
        (&["upgrade", "demo", "--jar", "orders.jar"], "it must be JOB=FILE"),
        (&["job", "stop", "demo", "a", "--dry-run"], "unexpected argument '--dry-run'"),
        (&["upgrade", "demo", "--version", "1.0.0"], "<PACKAGE>"),
        (&["recover", "demo", "--dry-run", "--abandon"], "cannot be used with"),
        (&["rollback", "demo", "last"], "'[REVISION]'"),
        (&["list", "-o", "jsn"], "a similar value exists: 'json'"),
        (&["logs", "demo", "--tail", "many"], "--tail"),
        (&["get", "demo"], "unrecognized subcommand 'demo'"),
        (&["ui", "demo", "--flink-url", "http://flink:1"], "the UI is at http://flink:1/ already"),
        (&["completion", "tcsh"], "bash"),
        (&["completion"], "SHELL"),
    ] {
        let run = offline(args).exits(2).says(says);
        assert!(run.stdout.is_empty(), "talk on stdout: {run}");
    }
}

/// Expected: what is wrong with a jar is said in one way, whichever verb is given it.
#[test]
fn a_jar_is_refused_alike_by_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.jar");
    fs_err::write(&text, "no zip").unwrap();
    for (file, code, says) in [
        (text.to_str().unwrap(), 2, "text.jar is not a jar"),
        (concat!(env!("CARGO_MANIFEST_DIR"), "/tests"), 3, "tests: cannot be read"),
        ("/nowhere/orders.jar", 3, "/nowhere/orders.jar: cannot be read"),
    ] {
        let given = format!("orders={file}");
        for verb in [
            &["job", "submit", "demo", file][..],
            &["upgrade", "demo", "--jar", &given],
            &["rollback", "demo", "--jar", &given],
        ] {
            offline(verb).exits(code).says(says);
        }
    }
}

#[test]
fn flags_of_helm_and_kubectl_are_understood() {
    let known = |args: &[&str]| {
        let run = offline(args);
        assert_ne!(run.code, 2, "not understood: {run}");
    };
    for flags in [
        &["--wait"][..],
        &["--wait=false"],
        &["--no-wait"],
        &["--wait", "--no-wait"],
        &["--atomic", "--install", "--stability-period", "5s"],
        &["--gate-quiet", "5s"],
        &["--kube-context", "a", "--kubeconfig", "/nowhere/config"],
        &["-n", "a", "--as", "b", "--as-group", "c", "--as-group", "d", "--request-timeout", "10s"],
        &["-s", "https://localhost:1", "--insecure-skip-tls-verify", "--token", "t", "-v", "3", "-q"],
        &["-i", "--create-namespace", "--history-max", "3", "--timeout", "1h30m", "-y"],
        &["--set", "a=1", "--set-string", "b=2", "--set-json", "c={}", "--set-literal", "d=4", "-o", "yaml"],
    ] {
        known(&[&["upgrade", "demo", "flink"][..], flags].concat());
    }
    for args in [
        &["ls", "-A", "-l", "layout=session", "-a"][..],
        &["delete", "demo"],
        &["hist", "demo", "--max", "3"],
        &["jobs", "ls", "demo"],
        &["savepoints", "ls", "demo"],
        &["get", "values", "demo", "-a", "--revision", "2"],
        &["logs", "demo", "-f", "--tail", "10"],
        &["job", "submit", "demo", "/nowhere.jar", "-c", "A", "-p", "2", "--", "--from", "x"],
    ] {
        known(args);
    }
}

#[test]
fn what_cannot_be_written_is_not_called_done() {
    for args in [&["version"][..], &["template", "demo", "flink"]] {
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut child =
            program().args(args).stdout(full.into_parts().0).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
        assert!(said.contains("cannot be written to stdout") && said.contains("No space left"), "{said}");
    }
}

#[test]
fn nothing_that_a_person_may_type_panics() {
    let odd = [
        "",
        " ",
        "-",
        "--",
        "---",
        "=",
        "a=b",
        "--=x",
        "-n",
        "-n=",
        "ü",
        "\u{202e}x",
        "..",
        "/",
        "./",
        "a/b",
        "🦀",
        "\n",
        "0",
        "-1",
        "99999999999999999999",
        "{",
        "[]",
        "null",
        "%s",
        "$(x)",
        "a.b[",
        "x.tgz",
        "./x.tgz",
        "~",
    ];
    let unexpected = |run: &Run| {
        run.stderr.contains("panicked")
            || run.code < 0
            || run.code == 101
            || ![0, 2, 3, 4].contains(&run.code)
    };
    for verb in verbs() {
        let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
        if verb == ["ui"] || verb == ["completion"] {
            continue;
        }
        // Names are read alike everywhere: a few will do.
        for word in ["", "-", "--=x", "ü", "../x", "\n"] {
            let run = offline(&[&verb[..], &[word]].concat());
            assert!(!unexpected(&run), "{run}");
        }
    }
    for word in odd {
        for args in [
            &["template", "demo", "flink", "--set", word][..],
            &["template", "demo", "flink", "--set-json", word],
            &["template", "demo", "flink", "-f", word],
            &["template", "demo", word],
            &["template", word, "flink"],
            &["template", "demo", "flink", "--layout", word],
            &["template", "demo", "flink", "--version", word],
            &["template", "demo", "flink", "--kube-version", word],
            &["template", "demo", "flink", "-n", word],
            &["list", "--flink-url", word],
            &["list", "-s", word],
            &["list", "--kubeconfig", word],
            &["upgrade", "demo", "--from-savepoint", word],
            &["install", "demo", "flink", "--timeout", word],
        ] {
            let run = offline(args);
            assert!(!unexpected(&run), "{run}");
        }
    }
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    run(program().arg("template").arg(bytes).arg("flink")).exits(2).never_says("panicked");
    run(program().arg("template").arg("demo").arg("flink").arg("-f").arg(bytes))
        .exits(3)
        .never_says("panicked");
}

#[test]
fn the_version_names_the_embedded_packages() {
    let version = env!("CARGO_PKG_VERSION");
    let text = flink(["version"]).ok().stdout;
    assert!(text.starts_with(&format!("kubectl-flink v{version}\nembedded packages: flink-")), "{text}");
    assert_eq!(flink(["version", "--short"]).ok().stdout, format!("v{version}\n"));
    assert_eq!(flink(["version", "-o", "json"]).ok().json()["version"], version);
    flink(["--version"]).ok().prints(version);
}

#[test]
fn completion_scripts_are_made_for_every_shell() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef kubectl-flink"),
        ("fish", "complete -c kubectl-flink"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        flink(["completion", shell]).ok().prints(mark).prints("rollback");
    }
}

/// What `kubectl_complete-flink WORDS` answers: candidates, then the directive.
fn complete(link: &Path, words: &[&str]) -> Vec<String> {
    let run = run(Command::new(link).args(words)).ok();
    run.stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn kubectl_completes_through_a_link_of_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let printed = flink(["completion", "--install", "--dir", dir]).ok().stdout;
    let link = folder.path().join("kubectl_complete-flink");
    assert_eq!(printed, format!("{}\n", link.display()));
    // A second time replaces it.
    flink(["completion", "--install", "--dir", dir]).ok();

    let all = complete(&link, &[""]);
    assert!(
        ["install", "upgrade", "rollback", "job"].iter().all(|verb| all.contains(&(*verb).to_owned())),
        "{all:?}"
    );
    assert_eq!(all.last().unwrap(), ":4");
    assert_eq!(complete(&link, &["roll"]), ["rollback", ":4"]);
    assert_eq!(complete(&link, &["job", "s"]), ["submit", "stop", ":4"]);
    let flags = complete(&link, &["upgrade", "demo", "--with-s"]);
    assert_eq!(flags, ["--with-savepoint", ":4"]);
    assert_eq!(complete(&link, &["list", "-o", "j"]), ["json", ":4"]);
    assert_eq!(complete(&link, &["no-such-verb", "x", ""]).last().unwrap(), ":4");
    // A folder that cannot be written is named.
    flink(["completion", "--install", "--dir", "/nowhere"]).exits(1).says("/nowhere/kubectl_complete-flink");
}

#[test]
fn results_go_to_stdout_and_a_reader_that_leaves_ends_it_quietly() {
    let program = program().get_program().to_str().unwrap().to_owned();
    let line = format!("{program} template demo flink | head -1; echo ${{PIPESTATUS[0]}}");
    let run = run(Command::new("bash").args(["-c", &line])).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("---\n0\n", ""));
}

/// Expected: a second Ctrl-C ends the process at once, with the exit code of shells; and whatever
/// kills it, no core dump, which would hold tokens, is written.
#[test]
#[cfg(target_os = "linux")]
fn a_second_interrupt_ends_it_at_once_and_no_core_is_dumped() {
    use rustix::process::{Pid, Signal, kill_process};
    // Takes connections, and never answers.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.local_addr().unwrap());
    let mut running = program()
        .args(["upgrade", "demo", "flink", "-s", &address, "-n", "team", "--request-timeout", "2m"])
        .env("KUBECONFIG", "/nowhere/config")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let connected = server.accept().unwrap();
    let limits = fs_err::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let pid = Pid::from_child(&running);
    let ended = wait_for("the process to end", || {
        // The signal may come before the program listens for the next one: a person presses again,
        // too.
        let _ = kill_process(pid, Signal::INT);
        running.try_wait().unwrap()
    });
    assert_eq!(ended.code(), Some(130), "{ended}");
    drop(connected);
}

const FORMATS: [&str; 5] = ["table", "wide", "json", "yaml", "name"];

/// Expected: what asks no cluster has every format, too.
#[test]
fn the_version_has_every_format() {
    let printed = |format: &str| offline(&["version", "-o", format]).ok().stdout;
    let packages: Vec<String> = printed("name").lines().map(ToOwned::to_owned).collect();
    assert!(packages.iter().any(|package| package.starts_with("package/flink-")), "{packages:?}");
    assert_eq!(printed("wide"), printed("table"));
    assert!(printed("table").starts_with("kubectl-flink v"));
    assert!(printed("json").contains("\"version\"") && printed("yaml").contains("version:"));
}

/// Expected: a manifest has every format, and a link, too; a script has one, and says so.
#[test]
fn what_asks_no_cluster_has_every_format_or_refuses_it() {
    for verb in [&["template", "demo", "flink"][..], &["install", "demo", "flink", "--dry-run=client"]] {
        let [table, wide, json, yaml, name] =
            FORMATS.map(|format| offline(&[verb, &["-o", format]].concat()).ok().stdout);
        assert!(table.starts_with("---\n") && table == wide && table == yaml, "{table}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["items"].as_array().unwrap().len(), name.lines().count(), "{name}");
        assert!(name.lines().all(|line| line.contains('/')), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let install = ["completion", "--install", "--dir", folder.path().to_str().unwrap(), "-o"];
    for format in FORMATS {
        offline(&[&install[..], &[format]].concat()).ok().prints("kubectl_complete-flink");
    }
    for text in [&["completion", "bash"][..], &["logs", "demo"]] {
        for format in ["json", "yaml", "name"] {
            offline(&[text, &["-o", format]].concat()).exits(2).says("has no other format");
        }
    }
}

/// Expected: a result gets out by `Output::print` alone, and each that does is held against every
/// format.
#[test]
fn no_verb_forgets_a_format() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let mut rendered = 0;
    for folder in [folder.join("commands"), folder.join("render")] {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fs_err::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            let streams = ["logs.rs", "completion.rs"].contains(&name);
            assert!(streams || !text.contains(".data("), "{name} writes to stdout past Output::print");
            let reports = text.matches("impl Render for ").count();
            let held = text.matches("every_format(&").count();
            assert!(held >= reports, "{name}: {reports} reports, {held} of them held against every format");
            rendered += reports;
        }
    }
    assert!(rendered > 15, "so few reports: {rendered}");
}

/// Expected: a name is taken as `-o name` prints it.
#[test]
fn a_name_is_taken_as_it_is_printed() {
    for args in [
        &["status", "release/demo"][..],
        &["uninstall", "release/demo"],
        &["job", "stop", "release/demo", "job/orders"],
        &["savepoint", "trigger", "demo", "--job", "job/orders"],
    ] {
        let run = offline(args);
        assert!([3, 4].contains(&run.code), "a name is refused: {run}");
        run.never_says("release/demo").never_says("job/orders");
    }
}

/// What the program writes to a terminal while it logs all it can and no server answers.
#[cfg(target_os = "linux")]
fn logged_on_a_terminal(no_color: Option<&str>) -> String {
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let terminal = openpt(flags).unwrap();
    unlockpt(&terminal).unwrap();
    let end = ioctl_tiocgptpeer(&terminal, flags).unwrap();
    let mut command = program();
    command.args(["list", "-s", "http://127.0.0.1:1", "-n", "team", "--request-timeout", "1s"]);
    command.env("KUBECONFIG", "/nowhere/config").env("KUBECTL_FLINK_LOG", "trace").env_remove("NO_COLOR");
    command.envs(no_color.map(|value| ("NO_COLOR", value)));
    let mut running = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(end).spawn().unwrap();
    drop(command); // it holds the terminal open
    let mut written = Vec::new();
    // A terminal that nobody holds open any more ends with an error.
    let _ = std::fs::File::from(terminal).read_to_end(&mut written);
    running.wait().unwrap();
    String::from_utf8(written).unwrap()
}

/// Expected: the log has colours on a terminal only, and none where `NO_COLOR` says so
/// (<https://no-color.org>).
#[test]
#[cfg(target_os = "linux")]
fn the_log_has_no_colours_where_none_are_wanted() {
    let coloured = |log: &str| {
        let mut lines = log.lines().filter(|line| line.contains("TRACE"));
        let first = lines.next().unwrap_or_else(|| panic!("nothing was logged: {log}"));
        assert!(!first.is_empty());
        log.contains('\u{1b}')
    };
    assert!(coloured(&logged_on_a_terminal(None)));
    assert!(coloured(&logged_on_a_terminal(Some(""))), "set to nothing, it says nothing");
    assert!(!coloured(&logged_on_a_terminal(Some("1"))));
    let mut command = program();
    command.args(["list", "-s", "http://127.0.0.1:1", "-n", "team", "--request-timeout", "1s"]);
    let command = command.env("KUBECONFIG", "/nowhere/config").env("KUBECTL_FLINK_LOG", "trace");
    assert!(!coloured(&run(command.env_remove("NO_COLOR")).stderr), "into a pipe");
}
