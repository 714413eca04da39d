//! Rows of a table by their index.

#[cfg(feature = "flex")]
mod cpu;

use burn::tensor::{Int, Tensor, module};

/// The rows of `table` that `ids` name.
///
/// # Shapes
/// table `[V, D]`, ids `[B, T]` → `[B, T, D]`
///
/// # Panics
/// When an id is not below V (on the host; elsewhere as the backend has it).
#[must_use]
pub fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if crate::op::on_host(&table) {
        let shape = ids.dims();
        let ids: Vec<u32> = ids.into_data().iter::<i64>().map(|id| u32::try_from(id).expect("an id")).collect();
        return crate::op::apply(cpu::Embedding { ids, shape }, [table.into_dispatch()]);
    }
    module::embedding(table, ids)
}
