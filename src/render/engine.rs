//! Running the templates: on a thread of their own, until a deadline, into a writer that ends at
//! its cap.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tera::{Context, ErrorKind, ReportError, Tera};

use super::context::{ROOTS, context};
use super::error::{RenderError, TemplateError};
use super::source::{Names, Reference, names};
use super::{Inputs, Rendered, filters, manifest, paths};
use crate::package::{Package, closest};

const NOTES: &str = "NOTES.tera";
/// Tera's parser and its interpreter recurse, within limits that fit into this, in a debug build
/// too.
const STACK: usize = 16 << 20;

/// How long and how much templates may write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For all templates together.
    pub(super) deadline: Duration,
    /// In bytes, for all templates together.
    pub(super) output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), output: 16 << 20 }
    }
}

pub(super) fn render(package: &Package, inputs: &Inputs, limits: &Limits) -> Result<Rendered, RenderError> {
    package.layout(Some(inputs.layout))?;
    let sources = Arc::new(sources(package, inputs.layout)?);
    let outputs: Vec<String> = sources.keys().filter(|path| is_output(path)).cloned().collect();
    let mut tera = Tera::default();
    tera.autoescape_on(Vec::<&str>::new());
    filters::register(&mut tera, package);
    // The thread reads the templates while their context is made here.
    let (running, begin) = start(Job { tera, sources: sources.clone(), outputs }, limits)?;
    let context = context(package, inputs);
    let names: BTreeMap<String, Names> =
        sources.iter().map(|(path, text)| (path.clone(), names(text))).collect();
    let names = Arc::new(names);
    let given = Given {
        names: names.clone(),
        context: Context::from_serialize(&context).map_err(|error| thread_error(&error))?,
    };
    // A thread that has ended says why below.
    let _ = begin.send(given);
    // Meanwhile; what it finds says more than what the engine says of the same mistake.
    check_paths(package, inputs, &context, &sources, &names)?;
    let mut objects = crds(package)?;
    let mut notes = String::new();
    let mut unreadable = None;
    while let Some((template, text)) = running.next()? {
        if template == NOTES {
            text.trim_end().clone_into(&mut notes);
            continue;
        }
        match manifest::objects(&template, &text) {
            Ok(more) => objects.extend(more),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    // What a template itself gets wrong, in whichever, comes before what is wrong in what was
    // written.
    if let Some(error) = unreadable {
        return Err(error);
    }
    Ok(Rendered { objects: manifest::sort(objects)?, notes })
}

/// The templates of a layout, the shared ones and the notes, by path.
fn sources(package: &Package, layout: &str) -> Result<BTreeMap<String, String>, RenderError> {
    let folder = format!("layouts/{layout}/");
    let mut sources = BTreeMap::new();
    for (path, _) in package.files() {
        let shared = path.starts_with("templates/") && has_extension(path, &["tera"]);
        let own = path.starts_with(&folder) && has_extension(path, &["yaml", "yml", "tera"]);
        if shared || own || path == NOTES {
            let text = package.text(path)?.unwrap_or_default();
            sources.insert(path.to_owned(), text.into_owned());
        }
    }
    Ok(sources)
}

/// A name that begins with `_` is for `include` only, as in Helm.
fn is_output(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path == NOTES || (path.starts_with("layouts/") && !name.starts_with('_'))
}

fn has_extension(path: &str, extensions: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

/// Plain YAML, not templates.
fn crds(package: &Package) -> Result<Vec<super::Object>, RenderError> {
    let mut objects = Vec::new();
    for (path, _) in package.files() {
        if path.starts_with("crds/") && has_extension(path, &["yaml", "yml"]) {
            objects.extend(manifest::objects(path, &package.text(path)?.unwrap_or_default())?);
        }
    }
    Ok(objects)
}

fn check_paths(
    package: &Package,
    inputs: &Inputs,
    context: &serde_json::Value,
    sources: &BTreeMap<String, String>,
    names: &BTreeMap<String, Names>,
) -> Result<(), RenderError> {
    let values = [inputs.values, package.default_values()];
    let known = paths::Known { values, schema: package.schema()?, context };
    let errors: Vec<TemplateError> = sources
        .iter()
        .filter_map(|(path, text)| names.get(path).map(|names| paths::check(path, text, names, &known)))
        .flatten()
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(RenderError::Templates { errors }) }
}

/// What goes to the thread.
struct Job {
    tera: Tera,
    sources: Arc<BTreeMap<String, String>>,
    outputs: Vec<String>,
}

/// What it needs once the templates are read.
struct Given {
    names: Arc<BTreeMap<String, Names>>,
    context: Context,
}

/// A template's path and what it wrote.
type Text = (String, String);

/// The thread that runs the templates.
struct Running {
    texts: mpsc::Receiver<Result<Option<Text>, RenderError>>,
    late: Arc<AtomicBool>,
    end: Instant,
    deadline: Duration,
}

fn start(job: Job, limits: &Limits) -> Result<(Running, mpsc::Sender<Given>), RenderError> {
    let (begin, given) = mpsc::channel();
    let (sender, texts) = mpsc::channel();
    let late = Arc::new(AtomicBool::new(false));
    let (its_late, output) = (Arc::clone(&late), limits.output);
    thread::Builder::new()
        .name("render".to_owned())
        .stack_size(STACK)
        // Nobody listens any more once the deadline has passed.
        .spawn(move || {
            let ended = job.run(&given, output, &its_late, &sender);
            drop(sender.send(ended.map(|()| None)));
        })
        .map_err(|error| thread_error(&error))?;
    let running = Running { texts, late, end: Instant::now() + limits.deadline, deadline: limits.deadline };
    Ok((running, begin))
}

impl Running {
    /// Returns what the next template wrote, the moment it is written; `None` after the last.
    fn next(&self) -> Result<Option<Text>, RenderError> {
        match self.texts.recv_timeout(self.end.saturating_duration_since(Instant::now())) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(RenderError::Deadline { deadline: self.deadline }),
            Err(RecvTimeoutError::Disconnected) => {
                Err(thread_error(&"the template engine broke down; this is an error in kubectl-flink"))
            }
        }
    }
}

impl Drop for Running {
    /// Nobody waits any more: the thread ends at its next write.
    fn drop(&mut self) {
        self.late.store(true, Ordering::Relaxed);
    }
}

fn thread_error(message: &dyn std::fmt::Display) -> RenderError {
    RenderError::Thread { message: message.to_string() }
}

impl Job {
    fn run(
        mut self,
        given: &mpsc::Receiver<Given>,
        output: usize,
        late: &AtomicBool,
        texts: &mpsc::Sender<Result<Option<Text>, RenderError>>,
    ) -> Result<(), RenderError> {
        let read = self.tera.add_raw_templates(self.sources.iter());
        // Where nothing comes, who began has failed and says so itself.
        let Given { names, context } = given.recv().map_err(|error| thread_error(&error))?;
        read.map_err(|error| self.describe(&error, "the templates", &names))?;
        self.check_variables(&names)?;
        let mut left = output;
        for template in &self.outputs {
            let mut writer = Capped { text: Vec::new(), left, full: false, late };
            let result = self.tera.render_to(template, &context, &mut writer);
            if writer.full {
                return Err(RenderError::TooLarge { template: template.clone(), limit: output });
            }
            result.map_err(|error| self.describe(&error, template, &names))?;
            left = writer.left;
            let text = String::from_utf8(writer.text).map_err(|error| thread_error(&error))?;
            // Nobody listens any more once the deadline has passed.
            let _ = texts.send(Ok(Some((template.clone(), text))));
        }
        Ok(())
    }

    /// Names that nothing defines: Tera would say so only where it prints them.
    fn check_variables(&self, names: &BTreeMap<String, Names>) -> Result<(), RenderError> {
        let mut errors = Vec::new();
        for (template, names) in names {
            let Ok(variables) = self.tera.get_template_variables(template) else {
                continue;
            };
            for reference in &names.references {
                let root = reference.root.as_str();
                let fine = ROOTS.contains(&root) || names.assigned.contains(root) || root == "loop";
                if !fine && !reference.invisible && variables.contains(root) {
                    let message = undefined(root, root);
                    let source = self.sources.get(template).map_or("", String::as_str);
                    errors.push(paths::at(template, source, reference.span.clone(), message));
                }
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(RenderError::Templates { errors }) }
    }

    /// Tera's error in our form. `template` is for those that have no place, as the recursion
    /// limit.
    fn describe(&self, error: &tera::Error, template: &str, names: &BTreeMap<String, Names>) -> RenderError {
        let errors = match error.kind() {
            ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
                let called_from = called_from(&error.to_string());
                vec![TemplateError { called_from, ..self.located(report, names) }]
            }
            ErrorKind::Msg(text) if text.starts_with("error: ") => text
                .split("\n\n")
                .filter(|block| block.starts_with("error: "))
                .map(|block| self.parsed(block))
                .collect(),
            other => vec![unlocated(template, other.to_string())],
        };
        RenderError::Templates { errors }
    }

    fn located(&self, report: &ReportError, names: &BTreeMap<String, Names>) -> TemplateError {
        let span = report.span();
        let source = self.sources.get(report.filename()).map_or("", String::as_str);
        // Tera points at the field; what the user looks for is the whole path up to it.
        let holds = |at: &&Reference| at.span.start <= span.range.start && span.range.end <= at.span.end;
        let names = names.get(report.filename());
        let path = names.and_then(|names| names.references.iter().find(holds));
        let start = path.map_or(span.range.start, |path| path.span.start);
        let snippet = source.get(start..span.range.end).unwrap_or_default();
        let text = source.lines().nth(span.start_line.saturating_sub(1)).unwrap_or_default();
        let one_line = span.end_line == span.start_line;
        TemplateError {
            template: report.filename().to_owned(),
            line: span.start_line,
            column: span.start_col + 1,
            message: reworded(report.message(), snippet),
            text: text.to_owned(),
            width: if one_line { span.end_col.saturating_sub(span.start_col).max(1) } else { 1 },
            called_from: Vec::new(),
            refused: snippet.starts_with("fail("),
        }
    }

    /// Unknown filters, functions and components come as text only:
    /// `error: Unknown filter `x`\n --> layouts/session/a.yaml:3:7\n…`.
    fn parsed(&self, block: &str) -> TemplateError {
        let mut lines = block.lines();
        let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let place = lines.next().unwrap_or_default().trim_start().trim_start_matches("--> ");
        let mut parts = place.rsplitn(3, ':');
        let (column, line, template) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
        let (Some(line), Some(column), Some(template)) = (number(line), number(column), template) else {
            return unlocated("the templates", message);
        };
        let source = self.sources.get(template).map_or("", String::as_str);
        let text = source.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
        let width = lines.last().map_or(1, |under| under.matches('^').count().max(1));
        TemplateError {
            template: template.to_owned(),
            line,
            column,
            message,
            text,
            width,
            called_from: Vec::new(),
            refused: false,
        }
    }
}

fn unlocated(template: &str, message: String) -> TemplateError {
    TemplateError {
        template: template.to_owned(),
        line: 0,
        column: 0,
        message,
        text: String::new(),
        width: 1,
        called_from: Vec::new(),
        refused: false,
    }
}

fn called_from(report: &str) -> Vec<String> {
    report.lines().filter_map(|line| line.strip_prefix("note: called from ")).map(str::to_owned).collect()
}

/// Tera says that something is undefined, and shows what only by a caret.
fn reworded(message: &str, snippet: &str) -> String {
    let is_path = !snippet.is_empty() && snippet.len() <= 120 && !snippet.contains('\n');
    let about_undefined = message.starts_with("Tried to render a variable that is undefined")
        || (message.starts_with("Field `") && message.contains("is not defined"))
        || message == "Cannot index into an undefined value";
    if !is_path || !about_undefined {
        return message.to_owned();
    }
    let reworded = undefined(snippet, snippet.split(['.', '[', ' ', '|']).next().unwrap_or(snippet));
    match message.split_once("Available fields: ") {
        Some((_, fields)) => format!("{reworded}; there are: {fields}"),
        None => reworded,
    }
}

fn undefined(expression: &str, root: &str) -> String {
    let message = format!("`{expression}` is not defined");
    match closest(root, ROOTS).filter(|suggestion| *suggestion != root) {
        Some(suggestion) => format!("{message}; did you mean `{suggestion}`?"),
        None => message,
    }
}

/// A writer that ends at its cap, or when nobody waits any more.
struct Capped<'a> {
    text: Vec<u8>,
    left: usize,
    full: bool,
    late: &'a AtomicBool,
}

impl Write for Capped<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.late.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        };
        self.left = left;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
