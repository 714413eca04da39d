//! How a CPU kernel becomes an operation on tensors, with its own backward pass.
//!
//! An operation implements [`Kernel`] on plain host tensors. [`apply`] enters it from [`Tensor`]: burn's dispatch hands the tensors to `flex`, and,
//! where gradients are tracked, [`record`] puts the operation into the graph. That is all the glue there is, for every operation.

use std::fmt;
use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, DispatchTensor, backend_extension};
use burn::tensor::{DType, Device, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::{Flex, FlexTensor};

/// An operation of several f32 tensors on the host that gives one.
pub trait Kernel: fmt::Debug + Send + Sync + 'static {
    /// The result. `tracked` says which inputs' gradients a backward pass may ask for; if any, [`saved`](Forward::saved) is kept for it.
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward;

    /// The gradient of each input that is `wanted`, from that of the output.
    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>>;
}

/// Which inputs of a kernel gradients may be asked of.
#[derive(Clone, Copy, Debug)]
pub struct Tracked<'a>(&'a [bool]);

impl Tracked<'_> {
    /// No backward pass follows.
    pub const NONE: Tracked<'static> = Tracked(&[]);

    /// Whether a backward pass may follow.
    pub fn any(self) -> bool {
        self.0.contains(&true)
    }

    /// Whether the gradient of this input may be asked for.
    pub fn input(self, index: usize) -> bool {
        self.0.get(index) == Some(&true)
    }
}

/// What [`Kernel::forward`] gives.
#[derive(Debug)]
pub struct Forward {
    /// The result.
    pub output: FlexTensor,
    /// What [`Kernel::backward`] needs of inputs and results. Tensors share their memory, so keeping an input costs none.
    pub saved: Vec<FlexTensor>,
}

/// A backend whose tensors are host memory.
pub trait HostBackend: Backend {
    /// [`Kernel::forward`].
    fn forward(
        kernel: &dyn Kernel,
        inputs: Vec<FloatTensor<Self>>,
        tracked: Tracked,
    ) -> (FloatTensor<Self>, Vec<FloatTensor<Self>>);

    /// [`Kernel::backward`].
    fn backward(
        kernel: &dyn Kernel,
        saved: Vec<FloatTensor<Self>>,
        gradient: FloatTensor<Self>,
        wanted: &[bool],
    ) -> Vec<Option<FloatTensor<Self>>>;
}

impl HostBackend for Flex {
    fn forward(kernel: &dyn Kernel, inputs: Vec<FlexTensor>, tracked: Tracked) -> (FlexTensor, Vec<FlexTensor>) {
        let Forward { output, saved } = kernel.forward(inputs, tracked);
        (output, saved)
    }

    fn backward(
        kernel: &dyn Kernel,
        saved: Vec<FlexTensor>,
        gradient: FlexTensor,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        kernel.backward(saved, gradient, wanted)
    }
}

/// Kernels of one to four tensors.
#[backend_extension(Flex, Autodiff)]
pub trait Kernels: Backend {
    /// A kernel of one tensor.
    fn kernel1(a: FloatTensor<Self>, kernel: Arc<dyn Kernel>) -> FloatTensor<Self>;
    /// A kernel of two tensors.
    fn kernel2(a: FloatTensor<Self>, b: FloatTensor<Self>, kernel: Arc<dyn Kernel>) -> FloatTensor<Self>;
    /// A kernel of three tensors.
    fn kernel3(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: Arc<dyn Kernel>,
    ) -> FloatTensor<Self>;
    /// A kernel of four tensors.
    fn kernel4(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        kernel: Arc<dyn Kernel>,
    ) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn kernel1(a: FlexTensor, kernel: Arc<dyn Kernel>) -> FlexTensor {
        kernel.forward(vec![a], Tracked::NONE).output
    }

    fn kernel2(a: FlexTensor, b: FlexTensor, kernel: Arc<dyn Kernel>) -> FlexTensor {
        kernel.forward(vec![a, b], Tracked::NONE).output
    }

    fn kernel3(a: FlexTensor, b: FlexTensor, c: FlexTensor, kernel: Arc<dyn Kernel>) -> FlexTensor {
        kernel.forward(vec![a, b, c], Tracked::NONE).output
    }

    fn kernel4(a: FlexTensor, b: FlexTensor, c: FlexTensor, d: FlexTensor, kernel: Arc<dyn Kernel>) -> FlexTensor {
        kernel.forward(vec![a, b, c, d], Tracked::NONE).output
    }
}

impl<B: HostBackend, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn kernel1(a: FloatTensor<Self>, kernel: Arc<dyn Kernel>) -> FloatTensor<Self> {
        record::<B, C, 1>(kernel, [a])
    }

    fn kernel2(a: FloatTensor<Self>, b: FloatTensor<Self>, kernel: Arc<dyn Kernel>) -> FloatTensor<Self> {
        record::<B, C, 2>(kernel, [a, b])
    }

    fn kernel3(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: Arc<dyn Kernel>,
    ) -> FloatTensor<Self> {
        record::<B, C, 3>(kernel, [a, b, c])
    }

    fn kernel4(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        kernel: Arc<dyn Kernel>,
    ) -> FloatTensor<Self> {
        record::<B, C, 4>(kernel, [a, b, c, d])
    }
}

/// Computes a kernel, and leaves in the graph how its gradients are computed.
#[allow(clippy::redundant_closure_for_method_calls, reason = "the type of the inputs has no public name")]
fn record<B: HostBackend, C: CheckpointStrategy, const N: usize>(
    kernel: Arc<dyn Kernel>,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> FloatTensor<Autodiff<B, C>> {
    let tracked = inputs.each_ref().map(|input| input.is_tracked());
    let nodes = inputs.each_ref().map(|input| input.node());
    let primitives: Vec<FloatTensor<B>> = inputs.into_iter().map(|input| input.into_primitive()).collect();
    match Step.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (output, saved) = B::forward(&*kernel, primitives, Tracked(&tracked));
            prepared.finish(Saved::<B> { kernel, tensors: saved }, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::forward(&*kernel, primitives, Tracked::NONE).0),
    }
}

/// The backward pass of any kernel.
#[derive(Debug)]
struct Step;

#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    kernel: Arc<dyn Kernel>,
    tensors: Vec<FloatTensor<B>>,
}

impl<B: HostBackend, const N: usize> Backward<B, N> for Step {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Saved<B>, N>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let Saved { kernel, tensors } = ops.state;
        let found = B::backward(&*kernel, tensors, gradient, &wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}

/// Whether kernels can compute with this tensor: f32 numbers in the host's memory.
pub(crate) fn on_host<const R: usize>(x: &Tensor<R>) -> bool {
    x.device() == Device::flex() && x.dtype() == DType::F32
}

/// Computes `kernel` of some tensors.
pub(crate) fn apply<const R: usize, const N: usize>(kernel: impl Kernel, inputs: [DispatchTensor; N]) -> Tensor<R> {
    use burn::backend::Dispatch;
    let kernel: Arc<dyn Kernel> = Arc::new(kernel);
    let mut inputs = inputs.into_iter();
    let mut next = || inputs.next().expect("as many inputs as counted");
    let output = match N {
        1 => Dispatch::kernel1(next(), kernel),
        2 => Dispatch::kernel2(next(), next(), kernel),
        3 => Dispatch::kernel3(next(), next(), next(), kernel),
        4 => Dispatch::kernel4(next(), next(), next(), next(), kernel),
        _ => unreachable!("kernels take one to four tensors"),
    };
    Tensor::from_dispatch(output)
}
