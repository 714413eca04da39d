//! A decoder's parameters by name.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::Decoder;

/// One parameter's name, identity and numbers.
#[derive(Clone, Debug)]
pub struct NamedParameter {
    /// The field names from the decoder down, joined by dots: `blocks.0.attention.query.weight`.
    pub name: String,
    /// Its identity in burn.
    pub id: ParamId,
    /// Its shape and numbers, on the host.
    pub data: TensorData,
}

impl Decoder {
    /// All parameters in the order of the forward pass. Copies every weight to the host.
    #[must_use]
    pub fn named_parameters(&self) -> Vec<NamedParameter> {
        named_parameters(self)
    }
}

/// All float parameters of any module, named as in [`NamedParameter`].
#[must_use]
pub fn named_parameters(module: &impl Module) -> Vec<NamedParameter> {
    let mut found = vec![];
    for_each_parameter(module, |name, id, numbers, shape| {
        let data = numbers.into_data();
        let format = data.dtype();
        let data = TensorData::from_bytes(data.into_bytes(), shape, format);
        found.push(NamedParameter { name, id, data });
    });
    found
}

/// Calls `found` with each float parameter of a module, in the order of its fields: its name as in [`NamedParameter`],
/// its identity, its numbers row by row, and its shape. Numbers stay on their device and keep their graph.
pub fn for_each_parameter(module: &impl Module, found: impl FnMut(String, ParamId, Tensor<1>, &[usize])) {
    struct Walk<F> {
        path: Vec<String>,
        found: F,
    }
    impl<F: FnMut(String, ParamId, Tensor<1>, &[usize])> ModuleVisitor for Walk<F> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            let numbers = param.val();
            let shape = numbers.dims();
            (self.found)(self.path.join("."), param.id, numbers.reshape([-1]), &shape);
        }
    }
    module.visit(&mut Walk { path: vec![], found });
}
