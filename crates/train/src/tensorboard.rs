//! `TensorBoard` event files.
//!
//! A file is a sequence of `TFRecord`s (length, masked CRC-32C of the length, bytes, masked CRC-32C of the bytes), each
//! a protobuf `Event`. Few fields are needed, so they are encoded by hand: `wall_time` (1, double), `step` (2, varint),
//! `file_version` (3, string), `summary` (5, message) of values (1) with `tag` (1, string) and `simple_value` (2,
//! float), and `session_log` (7) with `status` (1).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::run_files::EVENTS;
use crate::{StepMetrics, TrainError};

/// Writes the numbers of each step to a `TensorBoard` event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

impl EventWriter {
    /// A new event file in `folder`. When a run resumes after step `from`, `TensorBoard` is told to discard later steps
    /// of older files.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn create(folder: &Path, from: Option<u64>) -> Result<Self, TrainError> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = format!("{EVENTS}.{:010}.fireclay.{}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let path = folder.join(name);
        let file = File::create(&path).map_err(TrainError::write(&path))?;
        let mut writer = Self { path, file };
        writer.write(0, &bytes_field(3, b"brain.Event:2"))?;
        if let Some(from) = from {
            // SessionLog { status: START }
            writer.write(from + 1, &bytes_field(7, &[1 << 3, 1]))?;
        }
        Ok(writer)
    }

    /// Writes the numbers of a step.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn step(&mut self, line: &StepMetrics) -> Result<(), TrainError> {
        let named = [
            ("train/loss", line.loss),
            ("train/lr", line.lr),
            ("train/grad_norm", line.grad_norm),
            ("speed/tokens_per_s", line.tokens_per_s),
            ("speed/mfu", line.mfu),
            ("val/loss", line.val_loss),
            ("val/bits_per_byte", line.val_bits_per_byte),
        ];
        let extra = line.extra.iter().map(|(name, &value)| (name.as_str(), Some(value)));
        let mut summary = vec![];
        for (tag, value) in named.into_iter().chain(extra) {
            let Some(value) = value else { continue };
            let mut entry = bytes_field(1, tag.as_bytes());
            entry.push(2 << 3 | 5);
            entry.extend((value as f32).to_le_bytes());
            summary.extend(bytes_field(1, &entry));
        }
        self.write(line.step, &bytes_field(5, &summary))
    }

    fn write(&mut self, step: u64, content: &[u8]) -> Result<(), TrainError> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut event = vec![1 << 3 | 1];
        event.extend(seconds.to_le_bytes());
        event.push(2 << 3);
        event.extend(varint(step));
        event.extend(content);
        self.file.write_all(&record(&event)).map_err(TrainError::write(&self.path))
    }
}

/// A length-delimited protobuf field.
fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = vec![];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A `TFRecord`.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: an event is a hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, section B.4.
    #[test]
    fn crc32c_has_its_published_values() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn varints_carry_seven_bits_a_byte() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(300), [0xac, 0x02]);
    }

    #[test]
    fn a_file_begins_with_its_version_and_holds_a_record_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), Some(7)).unwrap();
        writer.step(&StepMetrics { step: 8, loss: Some(1.5), ..StepMetrics::default() }).unwrap();
        let bytes = std::fs::read(&writer.path).unwrap();
        let (mut rest, mut records) = (&bytes[..], vec![]);
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let data = &rest[12..12 + length];
            assert_eq!(record(data), rest[..16 + length]);
            records.push(data.to_vec());
            rest = &rest[16 + length..];
        }
        assert_eq!(records.len(), 3);
        assert!(records[0].ends_with(b"brain.Event:2"));
        assert!(records[2].windows(10).any(|window| window == b"train/loss"));
        assert!(records[2].ends_with(&1.5f32.to_le_bytes()));
    }
}
