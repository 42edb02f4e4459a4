//! Ranges, held against Masterminds/semver's own answers.

use super::*;

#[test]
fn the_oracle_agrees_on_what_matches() {
    let table = include_str!("../../tests/oracle/semver.tsv");
    let mut wrong = Vec::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let range = Range::parse(cells[0]).unwrap();
        let version = parse_version(cells[1]).unwrap();
        if range.matches(&version).to_string() != cells[2] {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_oracle_agrees_on_what_can_be_read() {
    for line in include_str!("../../tests/oracle/semver-parse.tsv").lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let text: String = serde_json::from_str(cells[1]).unwrap();
        let ok = match cells[0] {
            "C" => Range::parse(&text).is_ok(),
            _ => parse_version(&text).is_ok(),
        };
        assert_eq!(ok, cells[2] == "ok", "{line}");
    }
}

#[test]
fn errors_show_how_to_write_it() {
    assert_eq!(
        Range::parse(">= bar").unwrap_err().to_string(),
        "`>= bar` is not a range of versions: write it as `>=1.2 <2` or `^1.2.3`"
    );
    assert_eq!(parse_version("one").unwrap_err().to_string(), "`one` is not a version: write it as 1.2.3");
}

#[test]
fn a_range_goes_through_serde_as_it_was_written() {
    let range: Range = serde_json::from_str("\">=1.19 <3\"").unwrap();
    assert!(range.matches(&Version::new(2, 3, 0)));
    assert_eq!(serde_json::to_string(&range).unwrap(), "\">=1.19 <3\"");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[0-9xX*.v<>=!~^|, +a-]{0,16}é?") {
        let _ = (Range::parse(&text), parse_version(&text));
    }
}
