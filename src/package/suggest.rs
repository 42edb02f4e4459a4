//! "Did you mean …?"

/// The one of `candidates` that `word` was most likely meant to be: at most a third of it differs,
/// and no other is as near; or else the only one that begins alike (`replicas`, `replicaCount`).
/// Case does not count as a difference.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let allowed = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.iter().copied() {
        let distance = distance(&word, &candidate.to_lowercase());
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    if let Some((_, candidate)) = best {
        return Some(candidate);
    }
    let alike = |candidate: &str| {
        let same = word.chars().zip(candidate.to_lowercase().chars()).take_while(|(a, b)| a == b).count();
        same >= 4 && same * 3 >= word.chars().count() * 2
    };
    let mut alike = candidates.into_iter().filter(|candidate| alike(candidate));
    alike.next().filter(|_| alike.next().is_none())
}

/// Damerau–Levenshtein (optimal string alignment): two letters in the wrong order count once.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_meant() {
        let keys = ["taskManager", "jobManager", "image", "storage", "slots"];
        assert_eq!(closest("taskmanager", keys), Some("taskManager"));
        assert_eq!(closest("taskManger", keys), Some("taskManager"));
        assert_eq!(closest("imgae", keys), Some("image"));
        assert_eq!(closest("slot", keys), Some("slots"));
        assert_eq!(closest("ingress", keys), None);
        assert_eq!(closest("x", keys), None);
        let sizes = ["replicaCount", "cpu", "cpuLimit", "memory"];
        assert_eq!(closest("replicas", sizes), Some("replicaCount"));
        assert_eq!(closest("cpuMaximum", sizes), None);
    }
}
