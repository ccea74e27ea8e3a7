//! Rust names for names of manifests.

const KEYWORDS: [&str; 50] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while",
];

/// A variable, field or method: `snake_case`, with `_` after a keyword.
pub(crate) fn snake(name: &str) -> String {
    let plain = name.to_lowercase();
    let mut made: String =
        plain.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if made.starts_with(|c: char| c.is_numeric()) {
        made.insert(0, '_');
    }
    if KEYWORDS.contains(&made.as_str()) || made == "_" {
        made.push('_');
    }
    made
}

/// A type: `PascalCase`.
pub(crate) fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or(String::new(), |first| {
                first.to_uppercase().collect::<String>() + chars.as_str()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_rust() {
        assert_eq!(snake("by-sex"), "by_sex");
        assert_eq!(snake("burden.score"), "burden_score");
        assert_eq!(snake("mean HbA1c"), "mean_hba1c");
        assert_eq!(snake("type"), "type_");
        assert_eq!(snake("5-year"), "_5_year");
        assert_eq!(pascal("lab_results"), "LabResults");
    }

    #[test]
    fn keywords_are_sorted_and_whole() {
        assert!(KEYWORDS.is_sorted());
    }
}
