//! Whether weights are numbers.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Whether every weight of a model is finite.
pub(crate) fn is_finite<M: Module>(model: &M) -> bool {
    let mut visitor = Finite(true);
    model.visit(&mut visitor);
    visitor.0
}

struct Finite(bool);

impl ModuleVisitor for Finite {
    fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
        // 0 times infinity is not a number.
        self.0 = self.0 && (param.val() * 0.0).sum().into_scalar::<f32>() == 0.0;
    }
}
