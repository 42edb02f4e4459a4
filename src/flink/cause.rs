//! What the user needs of a Java stack trace: one line. Flink answers errors with traces of tens of
//! kilobytes, whose first line often is a wrapper ("Could not execute application.") and whose root
//! cause is many lines down.

/// The longest line that is shown, in characters.
const MAX_CHARS: usize = 600;

/// Messages of wrappers that say nothing.
const EMPTY_WORDS: &[&str] =
    &["Could not execute application", "Internal server error", "Could not run application"];

/// One exception of a trace: its class without the package, and the first line of its message.
#[derive(Debug, PartialEq, Eq)]
struct Exception {
    class: String,
    flink: bool,
    message: String,
}

impl Exception {
    /// Reads `a.b.C: a.b.D: message`, the innermost class taken: wrappers repeat what they wrap.
    fn parse(line: &str) -> Self {
        let mut class = "";
        let mut rest = line.trim();
        loop {
            let (head, tail) = rest.split_once(": ").unwrap_or((rest.trim_end_matches(':'), ""));
            if !is_class(head) {
                break;
            }
            class = head;
            rest = tail.trim();
            if rest.is_empty() {
                break;
            }
        }
        let simple = class.rsplit(['.', '$']).next().unwrap_or_default();
        Self {
            class: simple.to_owned(),
            flink: class.starts_with("org.apache.flink."),
            message: rest.to_owned(),
        }
    }

    /// Flink's own exceptions speak in sentences; of others the class is half of the message
    /// (`ClassNotFoundException: Nope`).
    fn show(&self) -> String {
        match (self.class.as_str(), self.message.as_str()) {
            (class, "") => class.to_owned(),
            ("", message) => message.to_owned(),
            (_, message) if self.flink => message.to_owned(),
            (class, message) => format!("{class}: {message}"),
        }
    }

    fn says_nothing(&self) -> bool {
        let message = self.message.trim_end_matches('.');
        EMPTY_WORDS.contains(&message) || (self.message.is_empty() && self.class.is_empty())
    }
}

/// Returns whether the word is a Java class with its package.
fn is_class(word: &str) -> bool {
    let last = word.rsplit('.').next().unwrap_or_default();
    word.contains('.')
        && last.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$'))
}

/// The exceptions of a trace, outermost first.
fn exceptions(trace: &str) -> Vec<Exception> {
    let mut found = Vec::new();
    let mut first = true;
    for line in trace.lines() {
        let line = line.trim_start_matches("<Exception on server side:");
        if line.trim().is_empty() || line.starts_with(['\t', ' ']) {
            continue;
        }
        if let Some(cause) = line.strip_prefix("Caused by: ") {
            found.push(Exception::parse(cause));
        } else if first {
            found.push(Exception::parse(line));
        }
        first = false;
    }
    found
}

/// The one line that says what a trace is about: the outermost exception that says something, and
/// the root cause where it says something else.
pub fn headline(trace: &str) -> String {
    let chain: Vec<Exception> = exceptions(trace).into_iter().filter(|one| !one.says_nothing()).collect();
    let Some(outer) = chain.first() else {
        return shorten(trace.lines().next().unwrap_or_default().trim());
    };
    let mut line = outer.show();
    if let Some(root) = chain.last()
        && !line.contains(root.message.as_str())
        && !(root.class == "FlinkJobNotFoundException" && line.contains("not "))
    {
        let kept = line.trim_end_matches(['.', ':', ' ']).len();
        line.truncate(kept);
        line = format!("{line}: {}", root.show());
    }
    shorten(&line)
}

/// Flink's error body `{"errors": [...]}` as one line, or nothing where the body is not one.
pub fn of_body(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    let Errors { errors } = serde_json::from_slice(body).ok()?;
    // "Internal server error." comes first, the trace after it.
    let said: Vec<String> = errors.iter().map(|one| headline(one)).filter(|one| !one.is_empty()).collect();
    let better = said.iter().find(|one| !EMPTY_WORDS.contains(&one.trim_end_matches('.')));
    Some(better.or(said.first()).cloned().unwrap_or_default())
}

/// The path in "A savepoint has been created at: PATH, but the corresponding job … failed during
/// stopping".
pub fn savepoint_in(trace: &str) -> Option<String> {
    const BEFORE: &str = "savepoint has been created at: ";
    let from = trace.find(BEFORE)? + BEFORE.len();
    let line = trace[from..].lines().next()?;
    let path = match line.find(", but the corresponding job") {
        Some(end) => &line[..end],
        None => line.split_whitespace().next()?.trim_end_matches([',', '.']),
    };
    (!path.is_empty()).then(|| path.to_owned())
}

/// Returns whether a trace names an exception of this class, given without its package.
pub fn names_class(trace: &str, class: &str) -> bool {
    trace.match_indices(class).any(|(at, _)| trace[..at].ends_with(['.', '$']))
}

/// A line of bounded length.
fn shorten(line: &str) -> String {
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
