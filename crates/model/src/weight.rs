//! A matrix of the decoder: a parameter, or numbers in a format that cannot be trained.

use std::fmt;

use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use fireclay_kernels::{Precision, StoredWeight, linear};

/// A matrix that is a parameter or not, never both. burn's derive for an enum would put the variant into the names of
/// parameters; here a trained weight has its field's name, and a stored one is no parameter: optimisers, gradients and
/// lists of parameters do not find it.
#[derive(Clone, Debug)]
pub(crate) enum Weight {
    /// A parameter.
    Trained(Param<Tensor<2>>),
    /// In a format that cannot be trained.
    Stored(StoredWeight),
}

impl Weight {
    pub(crate) fn trained(weight: Tensor<2>) -> Self {
        Self::Trained(Param::from_tensor(weight))
    }

    /// The parameter, if it is one.
    pub(crate) fn parameter(&self) -> Option<&Param<Tensor<2>>> {
        match self {
            Self::Trained(weight) => Some(weight),
            Self::Stored(_) => None,
        }
    }

    pub(crate) fn is_stored(&self) -> bool {
        matches!(self, Self::Stored(_))
    }

    /// `x·W + b`
    ///
    /// # Shapes
    /// x `[N, inputs]`, W `[inputs, outputs]`, b `[outputs]` → `[N, outputs]`
    pub(crate) fn linear(&self, x: Tensor<2>, bias: Option<Tensor<1>>, precision: Precision) -> Tensor<2> {
        match self {
            Self::Trained(weight) => linear(x, weight.val(), bias, precision),
            Self::Stored(stored) => stored.linear(x, bias, precision),
        }
    }

    /// The weight in the format that `store` gives it; one that is stored already stays as it is.
    #[must_use]
    pub(crate) fn stored_by(self, store: impl FnOnce(Tensor<2>) -> StoredWeight) -> Self {
        match self {
            Self::Trained(weight) => Self::Stored(store(weight.val())),
            Self::Stored(_) => self,
        }
    }
}

impl Module for Weight {
    fn collect_devices(&self, devices: Devices) -> Devices {
        match self {
            Self::Trained(weight) => Module::collect_devices(weight, devices),
            Self::Stored(_) => devices,
        }
    }

    fn fork(self, device: &Device) -> Self {
        self.with_parameter(|weight| Module::fork(weight, device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.with_parameter(|weight| Module::to_device(weight, device))
    }

    fn train(self) -> Self {
        self.with_parameter(Module::train)
    }

    fn valid(&self) -> Self {
        self.clone().with_parameter(|weight| Module::valid(&weight))
    }

    fn materialize(self) -> Self {
        self.with_parameter(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        if let Self::Trained(weight) = self {
            Module::visit(weight, visitor);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.with_parameter(|weight| Module::map(weight, mapper))
    }
}

impl Weight {
    /// The weight with its parameter changed, if it is one.
    fn with_parameter(self, change: impl FnOnce(Param<Tensor<2>>) -> Param<Tensor<2>>) -> Self {
        match self {
            Self::Trained(weight) => Self::Trained(change(weight)),
            Self::Stored(_) => self,
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trained(weight) => write!(f, "{:?}, trained", weight.dims()),
            Self::Stored(weight) => write!(f, "{:?}, stored", weight.dims()),
        }
    }
}

impl ModuleDisplayDefault for Weight {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&self.to_string()).optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for Weight {}
