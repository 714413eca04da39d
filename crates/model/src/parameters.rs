//! A decoder's parameters by name.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::Decoder;

/// One parameter's name, identity and numbers.
#[derive(Clone, Debug)]
pub struct NamedParameter {
    /// The field names from the decoder down, joined by dots: `blocks.0.attention.query.weight`.
    pub name: String,
    /// What burn knows it by.
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
    #[derive(Default)]
    struct Collect {
        path: Vec<String>,
        found: Vec<NamedParameter>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            self.found.push(NamedParameter { name: self.path.join("."), id: param.id, data: param.val().into_data() });
        }
    }
    let mut collect = Collect::default();
    module.visit(&mut collect);
    collect.found
}
