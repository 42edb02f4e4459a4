//! Sizes of memory: Flink's (`1728m`, `2g`) and Kubernetes' (`1728Mi`, `2Gi`).
//!
//! Both are read, as Flink reads its own: `k`, `m`, `g`, `t` (also with `b`, as `mb`) are powers of
//! 1024 in any case of letters, and so are `Ki`, `Mi`, `Gi`, `Ti`. Kubernetes' decimal `M` and its
//! milli `m` mean other things: so a template hands a size to Kubernetes only through `k8s_memory`.
//! (Flink: `org.apache.flink.configuration.MemorySize`.)

/// The text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size of memory: write it as 1728m, 2g, 1728Mi or 2Gi")]
pub struct MemoryError(pub String);

/// Bytes. A number without a unit is bytes too.
pub fn parse_memory(text: &str) -> Result<u64, MemoryError> {
    let error = || MemoryError(text.chars().take(40).collect());
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "ki" | "kib" | "kibibytes" => 10,
        "m" | "mb" | "mi" | "mib" | "mebibytes" => 20,
        "g" | "gb" | "gi" | "gib" | "gibibytes" => 30,
        "t" | "tb" | "ti" | "tib" | "tebibytes" => 40,
        _ => return Err(error()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.len() > 9 || fraction.contains('.') {
        return Err(error());
    }
    let unit = 1u128 << shift;
    let whole: u128 = whole.parse().map_err(|_| error())?;
    let mut bytes = whole.checked_mul(unit).ok_or_else(error)?;
    if !fraction.is_empty() {
        let digits: u128 = fraction.parse().map_err(|_| error())?;
        let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| error())?);
        bytes = bytes.checked_add(digits * unit / scale).ok_or_else(error)?;
    }
    u64::try_from(bytes).map_err(|_| error())
}

/// As Flink reads it: mebibytes where that is exact, else bytes.
pub(super) fn flink(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}m", bytes >> 20) } else { format!("{bytes}b") }
}

/// As Kubernetes reads it: mebibytes where that is exact, else bytes.
pub(super) fn kubernetes(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}Mi", bytes >> 20) } else { bytes.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flinks_and_kubernetes_sizes() {
        for (text, bytes) in [
            ("1728m", 1728 << 20),
            ("2g", 2 << 30),
            ("2G", 2 << 30),
            ("1gb", 1 << 30),
            ("1 gb", 1 << 30),
            ("2Gi", 2 << 30),
            ("512Mi", 512 << 20),
            ("1.5Gi", 3 << 29),
            ("1073741824", 1 << 30),
            ("1024kb", 1 << 20),
        ] {
            assert_eq!(parse_memory(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "m", "1x", "-1m", "1..5g", ".5g", "1.g", "99999999999t", "1e3"] {
            assert!(parse_memory(text).is_err(), "{text}");
        }
        assert_eq!((flink(3 << 29), kubernetes(3 << 29)), ("1536m".to_owned(), "1536Mi".to_owned()));
        assert_eq!((flink(1000), kubernetes(1000)), ("1000b".to_owned(), "1000".to_owned()));
    }
}
