//! From the host to a device and back: token ids as tensors, tensors as numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::InferError;

/// Refuses ids that are not in the vocabulary; the error names `row`.
pub(crate) fn check_ids(ids: &[u32], row: usize, vocab_size: usize) -> Result<(), InferError> {
    match ids.iter().position(|&id| id as usize >= vocab_size) {
        Some(position) => Err(InferError::UnknownId { id: ids[position], position, row, vocab_size }),
        None => Ok(()),
    }
}

/// Token ids as a tensor.
pub(crate) fn tensor<const R: usize>(ids: &[u32], shape: [usize; R], device: &Device) -> Tensor<R, Int> {
    let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

/// A tensor's numbers on the host, row by row.
pub(crate) fn host<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("converted to f32")
}
