//! Writing a file.

use std::io::{self, Write};

use crate::{NumberType, quantize};

/// An entry of the metadata of a new file.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// An unsigned integer.
    U32(u32),
    /// A floating-point number.
    F32(f32),
    /// A boolean.
    Bool(bool),
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// Whole numbers.
    I32s(Vec<i32>),
    /// Numbers.
    F32s(Vec<f32>),
    /// Booleans.
    Bools(Vec<bool>),
}

impl From<bool> for Entry {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// A tensor of a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTensor {
    /// Its name.
    pub name: String,
    /// Size of each axis, the last one contiguous.
    pub shape: Vec<usize>,
    /// Its number type.
    pub kind: NumberType,
}

const ALIGNMENT: usize = 32;

/// Writes a file of version 3. `numbers` returns each tensor's numbers, row by row, and is called in the order of
/// `tensors`.
///
/// # Errors
/// Errors of `out` and `numbers`; [`io::ErrorKind::InvalidInput`] for a type that is not written (F32, F16, BF16,
/// `Q8_0` and `Q4_0` are), a row that is not whole blocks, or a number of values that differs from the shape.
pub fn write(
    out: &mut impl Write,
    metadata: &[(String, Entry)],
    tensors: &[NewTensor],
    mut numbers: impl FnMut(usize) -> io::Result<Vec<f32>>,
) -> io::Result<()> {
    let mut header = vec![];
    header.extend(b"GGUF");
    header.extend(3u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((metadata.len() as u64).to_le_bytes());
    for (key, entry) in metadata {
        text(&mut header, key);
        put(&mut header, entry);
    }
    let mut offset = 0;
    for tensor in tensors {
        text(&mut header, &tensor.name);
        header.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().rev().for_each(|&size| header.extend((size as u64).to_le_bytes()));
        header.extend(tensor.kind.code().to_le_bytes());
        header.extend((offset as u64).to_le_bytes());
        offset += size(tensor)?.next_multiple_of(ALIGNMENT);
    }
    header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
    out.write_all(&header)?;
    for (index, tensor) in tensors.iter().enumerate() {
        let numbers = numbers(index)?;
        if numbers.len() != tensor.shape.iter().product::<usize>() {
            return Err(refused(tensor, "does not have as many numbers as its shape says"));
        }
        let mut bytes = quantize::narrow(tensor.kind, &numbers)
            .ok_or_else(|| refused(tensor, "is of a type that is not written"))?;
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        out.write_all(&bytes)?;
    }
    Ok(())
}

fn refused(tensor: &NewTensor, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("tensor {:?} {what} ({})", tensor.name, tensor.kind.name()))
}

/// Size of a tensor in bytes.
fn size(tensor: &NewTensor) -> io::Result<usize> {
    let row = *tensor.shape.last().ok_or_else(|| refused(tensor, "has no axis"))?;
    if !row.is_multiple_of(tensor.kind.block_numbers()) {
        return Err(refused(tensor, "has rows that are not whole blocks"));
    }
    Ok(tensor.shape.iter().product::<usize>() / tensor.kind.block_numbers() * tensor.kind.block_bytes())
}

fn text(header: &mut Vec<u8>, text: &str) {
    header.extend((text.len() as u64).to_le_bytes());
    header.extend(text.as_bytes());
}

fn put(header: &mut Vec<u8>, entry: &Entry) {
    let array = |header: &mut Vec<u8>, kind: u32, count: usize| {
        header.extend(9u32.to_le_bytes());
        header.extend(kind.to_le_bytes());
        header.extend((count as u64).to_le_bytes());
    };
    match entry {
        Entry::U32(number) => {
            header.extend(4u32.to_le_bytes());
            header.extend(number.to_le_bytes());
        }
        Entry::F32(number) => {
            header.extend(6u32.to_le_bytes());
            header.extend(number.to_le_bytes());
        }
        Entry::Bool(flag) => {
            header.extend(7u32.to_le_bytes());
            header.push(u8::from(*flag));
        }
        Entry::Text(words) => {
            header.extend(8u32.to_le_bytes());
            text(header, words);
        }
        Entry::Texts(texts) => {
            array(header, 8, texts.len());
            for words in texts {
                text(header, words);
            }
        }
        Entry::I32s(numbers) => {
            array(header, 5, numbers.len());
            header.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        Entry::F32s(numbers) => {
            array(header, 6, numbers.len());
            header.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        Entry::Bools(flags) => {
            array(header, 7, flags.len());
            header.extend(flags.iter().map(|flag| u8::from(*flag)));
        }
    }
}
