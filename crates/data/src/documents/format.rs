//! Format of a file, by its name.

use std::path::Path;

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    JsonLines,
    Json,
    Yaml,
    Parquet,
}

/// The formats that a reader accepts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    formats: &'static [Format],
    /// As messages list them.
    pub(crate) names: &'static str,
}

impl Known {
    /// Documents of plain text.
    pub(crate) const DOCUMENTS: Self = Self {
        formats: &[Format::Text, Format::JsonLines, Format::Parquet],
        names: ".txt, .jsonl (each also .gz, .zst, .lz4, .br or in a .zip) and .parquet",
    };
    /// Labelled examples.
    pub(crate) const EXAMPLES: Self = Self {
        formats: &[Format::JsonLines, Format::Json, Format::Parquet],
        names: ".jsonl, .json (each also .gz, .zst, .lz4, .br or in a .zip) and .parquet",
    };
    /// Documents or examples, depending on the content.
    pub(crate) const ANYTHING: Self = Self {
        formats: &[Format::Text, Format::JsonLines, Format::Json, Format::Parquet],
        names: ".txt, .jsonl, .json (each also .gz, .zst, .lz4, .br or in a .zip) and .parquet",
    };
    /// Conversations, which `ChatterBot` writes as YAML.
    pub(crate) const CONVERSATIONS: Self = Self {
        formats: &[Format::JsonLines, Format::Json, Format::Yaml, Format::Parquet],
        names: ".jsonl, .json and .yml (each also .gz, .zst, .lz4, .br or in a .zip) and .parquet",
    };

    /// Whether the files of a folder are one set of examples, in which several splits are refused.
    pub(super) fn is_one_set(self) -> bool {
        !self.formats.contains(&Format::Text)
    }

    /// Format by a file's name; `None` if the reader does not accept such a file.
    pub(super) fn format_of(self, path: &Path) -> Option<(Format, Compression)> {
        format_of(path).filter(|(format, _)| self.formats.contains(format))
    }
}

/// Compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Lz4,
    Brotli,
    /// A member of a `.zip` archive: offset and number of its bytes, and whether they are deflated. The path is the
    /// archive's, followed by the member's name.
    Member {
        start: u64,
        length: u64,
        deflated: bool,
    },
}

fn format_of(path: &Path) -> Option<(Format, Compression)> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let known = [
        (".gz", Compression::Gzip),
        (".zst", Compression::Zstd),
        (".lz4", Compression::Lz4),
        (".br", Compression::Brotli),
    ];
    let compressed = known.into_iter().find_map(|(end, compression)| Some((name.strip_suffix(end)?, compression)));
    let (name, compression) = compressed.unwrap_or((&name, Compression::None));
    match name.rsplit_once('.')?.1 {
        "txt" => Some((Format::Text, compression)),
        "json" => Some((Format::Json, compression)),
        "yml" | "yaml" => Some((Format::Yaml, compression)),
        "jsonl" | "ndjson" | "jsonlines" => Some((Format::JsonLines, compression)),
        "parquet" if compression == Compression::None => Some((Format::Parquet, compression)),
        _ => None,
    }
}
