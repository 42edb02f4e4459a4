//! The checker of the tally, checked: tallies recorded on real Flink and ones made up here, each
//! with what it must say.
//!
//! `tests/tally/*.txt` were recorded by hand (`tests/job/README.md` says how): two runs each of the
//! test job, in between them what the file's name says.

#![allow(clippy::unwrap_used, reason = "tests; clippy.toml's leave does not reach their helper functions")]

use std::path::{Path, PathBuf};

use crate::support::tally::{ANY, Expect, Run, State, Tally, TallyError, Verdict, assert_tally};

const MOVED: &str = include_str!("tally/moved.txt");
const STATELESS: &str = include_str!("tally/stateless.txt");
const OLDER: &str = include_str!("tally/older.txt");
const COUNT_LOST: &str = include_str!("tally/count-lost.txt");
const WAY_BACK: &str = include_str!("tally/way-back.txt");
const FAILED_OVER: &str = include_str!("tally/failed-over.txt");

/// A tally folder of a test's own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Unpacks what `tests/job/record.sh` packed.
    fn recorded(text: &str) -> Self {
        let folder = Self::empty();
        for file in text.split("== ").skip(1) {
            let (path, content) = file.split_once('\n').unwrap();
            folder.write(path, content);
        }
        folder
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    /// A run of one subtask that emitted these numbers of key 0 from `at` on, one a second, all
    /// counted right.
    fn run(&self, job: &str, attempt: &str, restored: &str, at: u64, seqs: &[u64]) {
        let mut text = format!(
            "# attempt={attempt} job={job} number=0 restored={restored} subtask=0 of=1 host=h flink=2.3.0 millis={at}\n"
        );
        text.extend((0..).zip(seqs).map(|(i, seq)| line(*seq, attempt, at + 1000 * i)));
        self.write(&format!("emitted/orders/h-{attempt}-0.log"), &text);
    }

    fn commit(&self, file: &str, seqs: &[u64]) {
        let text: String = seqs.iter().map(|seq| line(*seq, "a", 0)).collect();
        self.write(&format!("committed/orders/{file}"), &text);
    }

    fn files(&self, kind: &str, job: &str) -> Vec<PathBuf> {
        let entries = fs_err::read_dir(self.0.path().join(kind).join(job)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
        files.sort();
        files
    }

    fn read(&self, job: &str) -> Tally {
        Tally::read(&[self.path()], job).unwrap()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn line(seq: u64, attempt: &str, at: u64) -> String {
    format!("0 {seq} {} {attempt} {at}\n", seq + 1)
}

fn ended(text: &str, job: &str) -> Verdict {
    Folder::recorded(text).read(job).judge(State::Ended)
}

fn differences(verdict: &Verdict, expected: &Expect) -> String {
    verdict.differences(State::Ended, expected).join("\n")
}

/// One key instead of the recorded jobs' four.
fn one_key() -> Expect {
    Expect { keys: 1, ..Expect::default() }
}

#[test]
fn a_move_with_a_savepoint_from_flink_1_20_to_2_3_is_clean() {
    let folder = Folder::recorded(MOVED);
    let verdict =
        assert_tally(&[folder.path()], "moved", State::Ended, &Expect { runs: 2..=2, ..Expect::default() });
    assert_eq!(
        verdict.to_string(),
        "tally: emitted 168 committed 168, lost 0, repeated (emitted) 0, repeated (committed) 0, largest gap 689 ms"
    );
    let [old, new] = &verdict.runs[..] else { panic!("{:?}", verdict.runs) };
    assert_eq!((old.flink.as_str(), new.flink.as_str()), ("1.20.5", "2.3.0"));
    assert_eq!((old.span[&0], new.span[&0]), ((0, 20), (21, 41)));
    assert!(new.continues_exactly());
    assert_eq!(new.attempts.len(), 2, "two subtasks are one run");
    assert_eq!(
        new.to_string(),
        "job 5fabb065a29b882f65e89a7dc0c0267d attempt 0, Flink 2.3.0, restored from checkpoint 3: \
         key 0 21–41 key 1 21–41 key 2 21–41 key 3 21–41"
    );
}

#[test]
fn a_stateless_restart_turns_it_red() {
    let verdict = ended(STATELESS, "stateless");
    assert_eq!(
        differences(&verdict, &Expect::default()),
        "repeated (emitted): 64, expected 0 (key 0 0–15, key 1 0–15, key 2 0–15, key 3 0–15)\n\
         repeated (committed): 64, expected 0 (key 0 0–15, key 1 0–15, key 2 0–15, key 3 0–15)\n\
         a run began again at number 0"
    );
    let stateless = Expect {
        repeated_emitted: 64..=64,
        repeated_committed: 64..=64,
        restarts_from_zero: true,
        ..Expect::default()
    };
    assert_eq!(differences(&verdict, &stateless), "");
}

#[test]
fn an_older_savepoint_turns_it_red() {
    let verdict = ended(OLDER, "older");
    assert_eq!(
        differences(&verdict, &Expect::default()),
        "repeated (emitted): 60, expected 0 (key 0 16–30, key 1 16–30, key 2 16–30, key 3 16–30)\n\
         repeated (committed): 60, expected 0 (key 0 16–30, key 1 16–30, key 2 16–30, key 3 16–30)"
    );
    assert_eq!(verdict.runs[1].repeats(), 60, "the span that a plan can name beforehand");
    let known = Expect { repeated_emitted: 60..=60, repeated_committed: 60..=60, ..Expect::default() };
    assert_eq!(differences(&verdict, &known), "");
    let too_few = Expect { repeated_emitted: 0..=59, repeated_committed: 61..=u64::MAX, ..Expect::default() };
    assert_eq!(
        differences(&verdict, &too_few),
        "repeated (emitted): 60, expected at most 59 (key 0 16–30, key 1 16–30, key 2 16–30, key 3 16–30)\n\
         repeated (committed): 60, expected at least 61 (key 0 16–30, key 1 16–30, key 2 16–30, key 3 16–30)"
    );
}

#[test]
fn keyed_state_that_is_lost_while_the_source_goes_on_turns_it_red() {
    let verdict = ended(COUNT_LOST, "count-lost");
    assert_eq!(
        differences(&verdict, &Expect::default()),
        "miscounted: 64, expected 0 (key 0 16–31, key 1 16–31, key 2 16–31, key 3 16–31)"
    );
    assert!(verdict.to_string().ends_with(" ms, miscounted 64"), "{verdict}");
}

#[test]
fn a_failure_inside_flink_repeats_in_emitted_only() {
    let verdict = ended(FAILED_OVER, "failed-over");
    let expected = Expect { repeated_emitted: 1..=u64::MAX, runs: 2..=2, ..Expect::default() };
    assert_eq!(differences(&verdict, &expected), "");
    assert_eq!(verdict.runs[0].job, verdict.runs[1].job);
    assert_eq!((verdict.runs[0].number, verdict.runs[1].number), (0, 1));
    assert_eq!(
        verdict.largest_gap_ms, 18392,
        "the TaskManager was killed, and Flink noticed after some seconds"
    );
}

#[test]
fn a_way_back_repeats_in_emitted_only_what_the_failing_job_emitted() {
    let verdict = ended(WAY_BACK, "way-back");
    let (good, rest) = verdict.runs.split_first().unwrap();
    let (back, failing) = rest.split_last().unwrap();
    let in_between: u64 = failing.iter().map(|run| run.lines).sum();
    assert_eq!(in_between, 20);
    let expected = Expect { repeated_emitted: in_between..=in_between, ..Expect::default() };
    assert_eq!(differences(&verdict, &expected), "");
    assert_eq!(back.span[&0].0, good.span[&0].1 + 1);
    assert_eq!(back.restored, failing[0].restored, "both from the same savepoint");
}

#[test]
fn each_line_deleted_turns_it_red() {
    let jobs = [("moved", MOVED), ("way-back", WAY_BACK)];
    let mut deleted = 0;
    for (job, text) in jobs {
        let whole = ended(text, job);
        for kind in ["emitted", "committed"] {
            let folder = Folder::recorded(text);
            for file in folder.files(kind, job) {
                let content = fs_err::read_to_string(&file).unwrap();
                let lines: Vec<&str> = content.lines().collect();
                for (i, gone) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with('#')) {
                    let kept = [&lines[..i], &lines[i + 1..]].concat().join("\n") + "\n";
                    fs_err::write(&file, kept).unwrap();
                    let verdict = folder.read(job).judge(State::Ended);
                    // A number that was emitted twice is still there once: then one repetition less
                    // gives it away.
                    let repeated = |verdict: &Verdict| verdict.repeated_emitted.values().sum::<u64>();
                    let missed = verdict.lost.len() as u64 + repeated(&whole) - repeated(&verdict);
                    assert_eq!(missed, 1, "{kind} {}: {gone}", file.display());
                    deleted += 1;
                }
                fs_err::write(&file, &content).unwrap();
            }
        }
    }
    assert_eq!(deleted, 168 + 168 + 148 + 128);
}

#[test]
fn what_is_still_open_is_not_lost_while_the_job_runs_but_once_it_has_ended() {
    let folder = Folder::empty();
    folder.run("j", "a", "-", 0, &[0, 1, 2, 3]);
    folder.commit("part-u-0", &[0, 1]);
    folder.commit(".part-u-1.inprogress.x", &[2, 3]);
    let tally = folder.read("orders");
    assert_eq!(tally.judge(State::Running).differences(State::Running, &one_key()), [""; 0]);
    assert_eq!(differences(&tally.judge(State::Ended), &one_key()), "lost: 2, expected 0 (key 0 2–3)");
    folder.commit("part-u-1", &[2, 3]);
    assert_eq!(differences(&folder.read("orders").judge(State::Ended), &one_key()), "");
}

#[test]
fn a_number_missing_in_emitted_is_lost_while_the_job_runs_too() {
    let folder = Folder::empty();
    folder.run("j", "a", "-", 0, &[0, 1, 4, 6]);
    let verdict = folder.read("orders").judge(State::Running);
    assert_eq!(
        verdict.differences(State::Running, &one_key()),
        ["lost: 3, expected 0 (key 0 2–3, key 0 5–5)"]
    );
}

#[test]
fn committed_is_judged_up_to_where_the_last_run_ended() {
    let folder = Folder::empty();
    folder.run("j", "a", "-", 0, &[0, 1]);
    folder.run("bad", "b", "1", 10_000, &[2, 3, 4, 5, 6]);
    folder.run("k", "c", "1", 20_000, &[2, 3]);
    folder.commit("part-u-0", &[0, 1]);
    folder.commit("part-v-0", &[2, 3]);
    let verdict = folder.read("orders").judge(State::Ended);
    assert_eq!(differences(&verdict, &Expect { repeated_emitted: 2..=2, ..one_key() }), "");
}

#[test]
fn a_file_committed_twice_is_repeated() {
    let folder = Folder::empty();
    folder.run("j", "a", "-", 0, &[0, 1, 2]);
    folder.commit("part-u-0", &[0, 1, 2]);
    folder.commit("part-v-0", &[1, 2]);
    let verdict = folder.read("orders").judge(State::Ended);
    assert_eq!(differences(&verdict, &one_key()), "repeated (committed): 2, expected 0 (key 0 1–2)");
}

#[test]
fn starts_that_flink_numbers_alike_are_told_apart() {
    // A JobManager lost twice before a checkpoint: the same job, number and nothing restored, three
    // times.
    let folder = Folder::empty();
    folder.run("j", "a", "-", 0, &[0, 1, 2]);
    folder.run("j", "b", "-", 10_000, &[0, 1]);
    folder.run("j", "c", "-", 20_000, &[0, 1, 2, 3]);
    let verdict = folder.read("orders").judge(State::Running);
    assert_eq!(verdict.runs.len(), 3);
    assert_eq!(verdict.runs.iter().map(Run::repeats).collect::<Vec<_>>(), [0, 3, 2]);
    assert!(verdict.runs[1].begins_at_zero() && !verdict.runs[1].continues_exactly());
    assert_eq!(verdict.largest_gap_ms, 9000, "from 10 s + one number to 20 s");
}

#[test]
fn a_job_that_went_on_elsewhere_is_read_from_both_places() {
    let (here, there) = (Folder::empty(), Folder::empty());
    here.run("j", "a", "-", 0, &[0, 1]);
    here.commit("part-u-0", &[0, 1]);
    there.run("k", "b", "7", 5000, &[2, 3]);
    there.commit("part-v-0", &[2, 3]);
    assert_tally(&[here.path(), there.path()], "orders", State::Ended, &one_key());
    assert_eq!(
        there.read("orders").judge(State::Ended).lost.len(),
        2,
        "alone, the second does not begin at 0"
    );
}

#[test]
fn an_empty_tally_proves_nothing() {
    let verdict = Folder::empty().read("orders").judge(State::Ended);
    assert_eq!(
        differences(&verdict, &Expect { lost: ANY, ..Expect::default() }),
        "keys that emitted: 0, expected 4\ncommitted: 0, expected at least 1"
    );
}

#[test]
fn a_line_that_is_just_being_written_is_left_for_later() {
    let folder = Folder::empty();
    folder.run("j", "a", "-", 0, &[0, 1]);
    let path = folder.path().join("emitted/orders/h-a-0.log");
    let torn = fs_err::read_to_string(&path).unwrap() + "0 2 3 a";
    fs_err::write(&path, torn).unwrap();
    assert_eq!(folder.read("orders").position(), [(0, 1)].into());
}

#[test]
fn a_line_of_something_else_is_named() {
    let folder = Folder::empty();
    folder.commit("part-u-0", &[0]);
    folder.write("committed/orders/part-u-1", "0 1 2 a 5\n0 two 3 a 6\n");
    let error = Tally::read(&[folder.path()], "orders").unwrap_err();
    assert!(matches!(&error, TallyError::Line { number: 2, text, .. } if text == "0 two 3 a 6"), "{error}");
    assert!(
        error.to_string().ends_with("part-u-1:2: not a line of the test job: \"0 two 3 a 6\""),
        "{error}"
    );
}

#[test]
fn an_emitted_file_that_does_not_say_whose_it_is_is_refused() {
    let folder = Folder::empty();
    folder.write("emitted/orders/h-a-0.log", &line(0, "a", 5));
    let error = Tally::read(&[folder.path()], "orders").unwrap_err();
    assert!(matches!(&error, TallyError::Line { number: 1, text, .. } if text == "0 0 1 a 5"), "{error}");
}

#[test]
fn the_assertion_says_all_it_knows() {
    let folder = Folder::recorded(STATELESS);
    let panic = std::panic::catch_unwind(|| {
        assert_tally(&[folder.path()], "stateless", State::Ended, &Expect::default());
    });
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.starts_with("tally: emitted 148 committed 148, lost 0, repeated (emitted) 64,"),
        "{message}"
    );
    assert!(
        message.contains("\na run began again at number 0\nruns of stateless:\n  job b2d20261"),
        "{message}"
    );
    assert!(message.contains("key 0 0–20 (-16)"), "{message}");
}
