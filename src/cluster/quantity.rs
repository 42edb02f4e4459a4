//! Kubernetes' quantities: `250m`, `1`, `0.5`, `1728Mi`, `2G`, `1e3`.
//!
//! Only as exact as sums for people and comparisons with a quota need: thousandths, in a 64-bit
//! float. (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>)

/// The number that a quantity stands for (cores, bytes, pieces); `None` where it is none.
pub fn parse(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let text = text.trim();
    if let Ok(plain) = text.parse::<f64>() {
        return plain.is_finite().then_some(plain);
    }
    let (suffix, factor) = SUFFIXES.iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
    number.is_finite().then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_kubernetes_writes() {
        for (text, value) in [
            ("250m", 0.25),
            ("2", 2.0),
            ("1e3", 1000.0),
            ("1728Mi", 1_811_939_328.0),
            ("2G", 2e9),
            ("1E", 1e18),
            ("100k", 100_000.0),
        ] {
            let read = parse(text).unwrap();
            assert!((read - value).abs() < 1e-6 * value, "{text}: {read}");
        }
        for text in ["", "m", "1x", "one", "1 Mi Mi", "inf", "NaN"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
