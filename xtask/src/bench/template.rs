//! How long the plugin takes to render its package, beside the real Helm on the same objects.
//!
//! Whole processes, a release build, in turn one run of each: what disturbs the machine disturbs
//! all. Fails where the plugin takes a fifth of Helm's time or more, or its binary has 30 MB or
//! more.
//!
//! Helm gets two charts of the objects that the plugin renders. `plain` holds them as they come
//! out, nothing is left to compute: the easiest case for Helm. `values` has the package's own
//! values and schema, which Helm reads, merges and checks as the plugin does, and the release's
//! name, the namespace and the image in the templates; what else the package derives from its
//! values (memory, configuration, affinity) is there as text, so Helm still computes less than the
//! plugin.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::median;
use crate::cache::{Building, Cache, Inputs};
use crate::command::output;
use crate::progress::say;

/// The Helm to compare with.
const HELM: &str = "helm.sh/helm/v4/cmd/helm@v4.3.1";
/// The most that the plugin may take of Helm's time.
const SHARE: f64 = 0.2;
/// Bytes that the stripped binary may not have.
const SIZE: u64 = 30_000_000;
/// What the plugin is asked to do.
const TEMPLATE: [&str; 3] = ["template", "demo", "flink"];

/// Prints the medians of that many runs of each; fails where a target is missed.
pub fn run(project: &Path, plugin: &Path, runs: u32) -> Result<()> {
    let cache = Cache::open()?;
    let helm = helm(&cache)?;
    let charts = charts(&cache, project, &output(Command::new(plugin).args(TEMPLATE))?)?;
    let templated = |chart: &str| {
        let mut command = command(&helm, &["template", "demo"]);
        command.arg(charts.join(chart));
        command
    };
    let [ours, values, plain] =
        in_turn(runs, &[&|| command(plugin, &TEMPLATE), &|| templated("values"), &|| templated("plain")])?;

    let share = |other: Duration| ours.as_secs_f64() / other.as_secs_f64();
    println!("median of {runs} runs each, in turn, whole processes:");
    println!("  kubectl-flink template demo flink            {:7.1} ms", milliseconds(ours));
    for (chart, time) in [("values", values), ("plain", plain)] {
        let name = format!("helm template demo CHART ({chart})");
        println!("  {name:<44} {:7.1} ms   the plugin takes {:.3} of it", milliseconds(time), share(time));
    }
    let size = fs_err::metadata(plugin)?.len();
    println!("stripped release binary: {size} bytes");
    say(format_args!("targets: less than {SHARE} of Helm's time on either chart, less than {SIZE} bytes"));
    if share(values).max(share(plain)) >= SHARE || size >= SIZE {
        bail!("a target is missed");
    }
    Ok(())
}

/// The real Helm, built once.
fn helm(cache: &Cache) -> Result<PathBuf> {
    let folder =
        cache.entry("helm", "installing helm (some minutes)", Inputs::new().word(HELM), |building| {
            let mut go = Command::new("go");
            building.run(go.args(["install", HELM]).env("GOBIN", &building.out))
        })?;
    Ok(folder.join("helm"))
}

/// A folder with the two charts of these objects, `plain` and `values`.
fn charts(cache: &Cache, project: &Path, manifest: &str) -> Result<PathBuf> {
    if manifest.contains("{{") {
        bail!("an object holds `{{{{`, which Helm would take for a template");
    }
    let package = project.join("packages/flink");
    let files = ["values.yaml", "values.schema.json"];
    let mut inputs = Inputs::new().word(manifest).word("plain, values");
    for file in files {
        inputs = inputs.path(&package.join(file))?;
    }
    cache.entry("charts", "making charts of the same objects", inputs, |building| {
        write_chart(building, "plain", manifest)?;
        // What stands for the values. `default` is the namespace without -n, and a word of its own
        // nowhere else.
        let templates = manifest
            .replace("demo", "{{ .Release.Name }}")
            .replace("namespace: default", "namespace: {{ .Release.Namespace }}")
            .replace("/default/", "/{{ .Release.Namespace }}/")
            .replace(
                "image: flink:2.3.0",
                "image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
            );
        write_chart(building, "values", &templates)?;
        for file in files {
            fs_err::copy(package.join(file), building.out.join("values").join(file))?;
        }
        Ok(())
    })
}

/// One file an object.
fn write_chart(building: &Building, name: &str, manifest: &str) -> Result<()> {
    let chart = building.out.join(name);
    let templates = chart.join("templates");
    fs_err::create_dir_all(&templates)?;
    let identity = "apiVersion: v2\nname: flink\nversion: 1.0.0\nappVersion: \"2.3.0\"\n";
    fs_err::write(chart.join("Chart.yaml"), identity)?;
    for (number, object) in manifest.split("\n---\n").enumerate() {
        fs_err::write(templates.join(format!("{number}.yaml")), object)?;
    }
    Ok(())
}

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The medians of the commands' times, run in turn.
fn in_turn<const N: usize>(runs: u32, commands: &[&dyn Fn() -> Command; N]) -> Result<[Duration; N]> {
    for command in commands {
        time(command())?; // once before it counts: from disk into memory
    }
    let mut times = [const { Vec::new() }; N];
    for _ in 0..runs {
        for (command, times) in commands.iter().zip(&mut times) {
            times.push(time(command())?);
        }
    }
    Ok(times.map(median))
}

fn time(mut command: Command) -> Result<Duration> {
    let begun = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(begun.elapsed())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
