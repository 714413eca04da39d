//! Reading: the header of a mapped file, and its tensors on demand.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::{GgufError, NumberType, blocks};

const MAGIC: &[u8] = b"GGUF";
/// Largest number of entries of an array: that of the largest supported vocabulary.
const LARGEST_ARRAY: u64 = 1 << 24;
/// Largest number of bytes of a name; ggml allows 64 for tensors and 65535 for keys.
const LONGEST_NAME: u64 = 65_535;
const DEFAULT_ALIGNMENT: u64 = 32;
const REMEDY: &str = "the file is damaged or was cut off: copy it again from its source";

/// One entry of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An unsigned integer.
    Unsigned(u64),
    /// A signed integer.
    Signed(i64),
    /// A floating-point number.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A text.
    Text(String),
    /// An array of one type, which is read from the file on demand.
    Array(Array),
}

/// An array in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    kind: u32,
    count: usize,
    bytes: Range<usize>,
}

/// A tensor in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Size of each axis, the last one contiguous, as in safetensors; GGUF's order is the reverse.
    pub shape: Vec<usize>,
    /// Number type.
    pub kind: NumberType,
    bytes: Range<usize>,
}

/// A mapped file whose header is valid and whose tensors are inside it.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    map: Mmap,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl GgufFile {
    /// Maps a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be opened, is not a GGUF file, is truncated, or has tensors of an unsupported type.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let map = File::open(path)
            .and_then(|file| map(&file))
            .map_err(|source| GgufError::Io { path: path.to_owned(), source })?;
        let header = Header::read(&map).map_err(|message| GgufError::invalid(path, message))?;
        Ok(Self { path: path.to_owned(), map, metadata: header.metadata, tensors: header.tensors })
    }

    /// Whether a file begins with the magic of GGUF files.
    #[must_use]
    pub fn is_gguf(path: &Path) -> bool {
        use std::io::Read;
        let mut start = [0; 4];
        path.is_file() && File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == MAGIC
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error about this file.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> GgufError {
        GgufError::invalid(&self.path, message)
    }

    /// The metadata's keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    /// An entry of the metadata.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A text of the metadata.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number of the metadata that is not negative.
    #[must_use]
    pub fn unsigned(&self, key: &str) -> Option<u64> {
        match *self.value(key)? {
            Value::Unsigned(number) => Some(number),
            Value::Signed(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    /// Any number of the metadata.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        match *self.value(key)? {
            Value::Unsigned(number) => Some(number as f64),
            Value::Signed(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// A boolean of the metadata.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        match *self.value(key)? {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// The texts of an array.
    #[must_use]
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        let Value::Array(array) = self.value(key)? else { return None };
        let mut cursor = Cursor { bytes: &self.map[..array.bytes.end], at: array.bytes.start };
        (array.kind == TEXT).then(|| (0..array.count).map(|_| cursor.text(u64::MAX).ok()).collect())?
    }

    /// The numbers of the array `key`; `None` if there is no such array, or it holds something else.
    #[must_use]
    pub fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        let Value::Array(array) = self.value(key)? else { return None };
        let mut cursor = Cursor { bytes: &self.map[..array.bytes.end], at: array.bytes.start };
        let mut number = || match cursor.value(array.kind).ok()? {
            Value::Unsigned(number) => Some(number as f64),
            Value::Signed(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            Value::Bool(flag) => Some(f64::from(flag)),
            _ => None,
        };
        (0..array.count).map(|_| number()).collect()
    }

    /// The tensors by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), info))
    }

    /// A tensor's shape and type.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// A tensor's blocks as they are in the file.
    #[must_use]
    pub fn bytes(&self, tensor: &TensorInfo) -> &[u8] {
        &self.map[tensor.bytes.clone()]
    }

    /// Appends the numbers of some rows of a tensor of two axes.
    ///
    /// # Panics
    /// If it has fewer rows.
    pub fn widen_rows(&self, tensor: &TensorInfo, rows: Range<usize>, into: &mut Vec<f32>) {
        let &[count, width] = &tensor.shape[..] else { panic!("a tensor of {} axes", tensor.shape.len()) };
        assert!(rows.end <= count, "rows up to {} of {count}", rows.end);
        // A row is whole blocks, as was checked when the header was read.
        let row = width / tensor.kind.block_numbers() * tensor.kind.block_bytes();
        let bytes = &self.bytes(tensor)[rows.start * row..rows.end * row];
        blocks::widen(tensor.kind, bytes, into);
    }

    /// A tensor's numbers, row by row.
    #[must_use]
    pub fn widened(&self, tensor: &TensorInfo) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(tensor.shape.iter().product());
        blocks::widen(tensor.kind, self.bytes(tensor), &mut numbers);
        numbers
    }
}

#[expect(unsafe_code, reason = "mapping a file")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is only read. Should another program shorten the file meanwhile, the system ends this one, as
    // with every mapped model.
    unsafe { Mmap::map(file) }
}

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

struct Header {
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    fn read(map: &[u8]) -> Result<Self, String> {
        if map.starts_with(b"version https://git-lfs") {
            return Err("a pointer of Git LFS, not the model; fetch it with `git lfs pull`".into());
        }
        let mut cursor = Cursor { bytes: map, at: 0 };
        if cursor.take(4)? != MAGIC {
            return Err("not a GGUF file: it does not begin with \"GGUF\"".into());
        }
        match u32::from_le_bytes(cursor.array()?) {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => {
                return Err("a big-endian GGUF file, which is not supported; convert it".into());
            }
            version => {
                return Err(format!("GGUF version {version} is not supported (2 and 3 are); convert it again"));
            }
        }
        let (tensor_count, entry_count) = (cursor.u64()?, cursor.u64()?);
        let mut metadata = BTreeMap::new();
        for _ in 0..entry_count {
            let key = cursor.text(LONGEST_NAME)?;
            let kind = u32::from_le_bytes(cursor.array()?);
            let value = cursor.value(kind).map_err(|error| format!("metadata {key:?}: {error}"))?;
            metadata.insert(key, value);
        }
        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::Unsigned(alignment)) if alignment.is_power_of_two() && *alignment <= 1 << 20 => *alignment,
            Some(_) => return Err("general.alignment is not a power of two up to 2^20; convert the file again".into()),
        };
        let mut found = vec![];
        for _ in 0..tensor_count {
            let (name, tensor) = cursor.tensor()?;
            found.push((name, tensor));
        }
        let start = (cursor.at as u64).next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for (name, NewInfo { shape, kind, offset, size }) in found {
            let end = start.checked_add(offset).and_then(|from| Some((from, from.checked_add(size)?)));
            let Some((from, to)) = end.filter(|(from, to)| *to <= map.len() as u64 && from % alignment == 0) else {
                return Err(format!("tensor {name:?} lies outside the file or is not aligned; {REMEDY}"));
            };
            let info = TensorInfo { shape, kind, bytes: from as usize..to as usize };
            if tensors.insert(name.clone(), info).is_some() {
                return Err(format!("tensor {name:?} is there twice; {REMEDY}"));
            }
        }
        Ok(Self { metadata, tensors })
    }
}

/// A tensor as the header announces it.
struct NewInfo {
    shape: Vec<usize>,
    kind: NumberType,
    /// After the header.
    offset: u64,
    size: u64,
}

/// A read position in the header.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| {
            format!("its header ends at byte {} where {count} more bytes should be; {REMEDY}", self.bytes.len())
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N as u64)?.try_into().expect("so many bytes were taken"))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self, longest: u64) -> Result<String, String> {
        let length = self.u64()?;
        if length > longest {
            return Err(format!("a name of {length} bytes; {REMEDY}"));
        }
        let bytes = self.take(length)?;
        // Some vocabularies have tokens that are not UTF-8; invalid bytes become U+FFFD.
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn value(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Unsigned(self.array::<1>()?[0].into()),
            1 => Value::Signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(u32::from_le_bytes(self.array()?).into()),
            5 => Value::Signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            TEXT => Value::Text(self.text(u64::MAX)?),
            ARRAY => Value::Array(self.values()?),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("kind {other} of metadata is unknown; {REMEDY}")),
        })
    }

    fn values(&mut self) -> Result<Array, String> {
        let (kind, count) = (u32::from_le_bytes(self.array()?), self.u64()?);
        if count > LARGEST_ARRAY {
            return Err(format!("an array of {count} entries; {LARGEST_ARRAY} is the largest supported number"));
        }
        let start = self.at;
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            TEXT => {
                for _ in 0..count {
                    let length = self.u64()?;
                    self.take(length)?;
                }
                return Ok(Array { kind, count: count as usize, bytes: start..self.at });
            }
            ARRAY => return Err("an array of arrays, which is not supported".into()),
            other => return Err(format!("an array of kind {other}, which is unknown; {REMEDY}")),
        };
        self.take(count * size)?;
        Ok(Array { kind, count: count as usize, bytes: start..self.at })
    }

    fn tensor(&mut self) -> Result<(String, NewInfo), String> {
        let name = self.text(LONGEST_NAME)?;
        let axes = u32::from_le_bytes(self.array()?);
        if axes == 0 || axes > 4 {
            return Err(format!("tensor {name:?} has {axes} axes; {REMEDY}"));
        }
        let mut shape = Vec::with_capacity(4);
        for _ in 0..axes {
            shape.push(self.u64()?);
        }
        let code = u32::from_le_bytes(self.array()?);
        let Some(kind) = NumberType::of_code(code) else {
            return Err(format!(
                "tensor {name:?} is {}, which is not supported; use a file in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, \
                 Q5_1, Q4_K, Q5_K or Q6_K",
                NumberType::other_name(code)
            ));
        };
        let offset = self.u64()?;
        let numbers = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
        let whole = shape[0] % kind.block_numbers() as u64 == 0;
        let size = numbers.map(|numbers| numbers / kind.block_numbers() as u64);
        let size = size.and_then(|blocks| blocks.checked_mul(kind.block_bytes() as u64));
        let Some(size) = size.filter(|size| whole && *size > 0 && *size <= self.bytes.len() as u64) else {
            return Err(format!(
                "tensor {name:?} of shape {shape:?} in {} does not fit the file; {REMEDY}",
                kind.name()
            ));
        };
        // The file is at least as long as this many numbers of half a byte, so that the sizes fit this machine's.
        let shape = shape.into_iter().rev().map(|size| size as usize).collect();
        Ok((name, NewInfo { shape, kind, offset, size }))
    }
}
