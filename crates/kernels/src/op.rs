//! Turns a CPU kernel into an operation on tensors, with its own backward pass.
//!
//! An operation implements [`Kernel`] on plain host tensors. [`apply`] calls it on [`Tensor`]s: burn's dispatch passes
//! the tensors to `flex`, and, if gradients are tracked, [`record`] adds the operation to the graph. Every operation
//! uses this same code.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchTensor, backend_extension};
use burn::tensor::{DType, Device, Tensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::{Flex, FlexTensor};

use crate::host::tensor;

/// An operation from several f32 tensors in host memory to one.
pub trait Kernel: fmt::Debug + Send + Sync + 'static {
    /// The result. `tracked` says which inputs' gradients a backward pass may ask for; if any,
    /// [`saved`](Forward::saved) is kept for it.
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward;

    /// The gradient of each input that is `wanted`, from that of the output.
    fn backward(&self, saved: Vec<FlexTensor>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>>;
}

/// Inputs of a kernel that may need a gradient.
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

/// Result of [`Kernel::forward`].
#[derive(Debug)]
pub struct Forward {
    /// The result.
    pub output: FlexTensor,
    /// Inputs and results that [`Kernel::backward`] needs. Tensors share memory, so keeping an input costs none.
    pub saved: Vec<FlexTensor>,
}

/// A backend whose tensors are in host memory.
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

/// Defines a backend function for kernels of each listed number of tensors, and dispatches among them.
macro_rules! kernels {
    ($($count:literal: $name:ident($($input:ident),+);)+) => {
        /// Kernels of one to seven tensors.
        #[expect(clippy::too_many_arguments, reason = "an extension's functions take tensors one by one")]
        #[backend_extension(Flex, Autodiff)]
        pub trait Kernels: Backend {
            $(
                /// Runs a kernel of this number of tensors.
                fn $name($($input: FloatTensor<Self>,)+ kernel: Arc<dyn Kernel>) -> FloatTensor<Self>;
            )+
        }

        impl Kernels for Flex {
            $(
                fn $name($($input: FlexTensor,)+ kernel: Arc<dyn Kernel>) -> FlexTensor {
                    kernel.forward(vec![$($input),+], Tracked::NONE).output
                }
            )+
        }

        impl<B: HostBackend, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
            $(
                fn $name($($input: FloatTensor<Self>,)+ kernel: Arc<dyn Kernel>) -> FloatTensor<Self> {
                    record::<B, C, $count>(kernel, [$($input),+])
                }
            )+
        }

        /// Computes a kernel on the backend of the tensors.
        fn dispatch(inputs: Vec<DispatchTensor>, kernel: Arc<dyn Kernel>) -> DispatchTensor {
            let count = inputs.len();
            let mut inputs = inputs.into_iter();
            let mut next = || inputs.next().expect("as many inputs as counted");
            match count {
                $(
                    $count => {
                        $(let $input = next();)+
                        Dispatch::$name($($input,)+ kernel)
                    }
                )+
                count => unreachable!("kernels take one to seven tensors, not {count}"),
            }
        }
    };
}

kernels! {
    1: kernel1(a);
    2: kernel2(a, b);
    3: kernel3(a, b, c);
    4: kernel4(a, b, c, d);
    5: kernel5(a, b, c, d, e);
    6: kernel6(a, b, c, d, e, f);
    7: kernel7(a, b, c, d, e, f, g);
}

/// Computes a kernel and records its backward pass in the graph.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the type of the inputs has no public name")]
fn record<B: HostBackend, C: CheckpointStrategy, const N: usize>(
    kernel: Arc<dyn Kernel>,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> FloatTensor<Autodiff<B, C>> {
    let tracked = inputs.each_ref().map(|input| input.is_tracked());
    let nodes = inputs.each_ref().map(|input| input.node());
    let primitives: Vec<FloatTensor<B>> = inputs.into_iter().map(|input| input.into_primitive()).collect();
    match KernelBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (output, saved) = B::forward(&*kernel, primitives, Tracked(&tracked));
            prepared.finish(Saved::<B> { kernel, tensors: saved }, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::forward(&*kernel, primitives, Tracked::NONE).0),
    }
}

/// The backward pass of any kernel.
#[derive(Debug)]
struct KernelBackward;

#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    kernel: Arc<dyn Kernel>,
    tensors: Vec<FloatTensor<B>>,
}

impl<B: HostBackend, const N: usize> Backward<B, N> for KernelBackward {
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

/// Applies `kernel` to tensors.
pub(crate) fn apply<const R: usize>(kernel: impl Kernel, inputs: impl Into<Vec<DispatchTensor>>) -> Tensor<R> {
    Tensor::from_dispatch(dispatch(inputs.into(), Arc::new(kernel)))
}

/// An operation from several tensors to several. A node of burn's graph has one result, so the operation consists of a
/// [`MultiOutput`], whose result stands for all of them, and a [`OutputOf`] for each, which depends on it. Tensors pass
/// from one to the other outside the graph.
pub trait MultiOutputKernel: fmt::Debug + Send + Sync + 'static {
    /// The results, and the tensors that the backward pass needs, as [`Kernel::forward`].
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> (Vec<FlexTensor>, Vec<FlexTensor>);

    /// The gradient of each input that is `wanted`, from those of the results; results that nothing depends on have
    /// none. An input on which only such results depend gets zeros, because the graph continues before it.
    fn backward(
        &self,
        saved: Vec<FlexTensor>,
        gradients: Vec<Option<FlexTensor>>,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>>;
}

/// Slots for results on the way to the parts, and later for gradients on the way back.
type Exchange = Arc<Mutex<Vec<Option<FlexTensor>>>>;

#[derive(Debug)]
struct MultiOutput<K> {
    kernel: K,
    exchange: Exchange,
}

#[derive(Debug)]
struct OutputOf {
    index: usize,
    exchange: Exchange,
}

/// A placeholder that the whole operation returns and that each part receives; its value has no meaning.
fn token() -> FlexTensor {
    tensor(vec![0.0], [1])
}

fn locked(exchange: &Exchange) -> MutexGuard<'_, Vec<Option<FlexTensor>>> {
    exchange.lock().expect("no thread panics with the lock")
}

impl<K: MultiOutputKernel> Kernel for MultiOutput<K> {
    fn forward(&self, inputs: Vec<FlexTensor>, tracked: Tracked) -> Forward {
        let (outputs, saved) = self.kernel.forward(inputs, tracked);
        *locked(&self.exchange) = outputs.into_iter().map(Some).collect();
        Forward { output: token(), saved }
    }

    fn backward(&self, saved: Vec<FlexTensor>, _token: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        let gradients = std::mem::take(&mut *locked(&self.exchange));
        self.kernel.backward(saved, gradients, wanted)
    }
}

impl Kernel for OutputOf {
    fn forward(&self, _inputs: Vec<FlexTensor>, _tracked: Tracked) -> Forward {
        let output = locked(&self.exchange)[self.index].take().expect("a part is taken once");
        Forward { output, saved: vec![] }
    }

    fn backward(&self, _saved: Vec<FlexTensor>, gradient: FlexTensor, _wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        locked(&self.exchange)[self.index] = Some(gradient);
        vec![Some(token())]
    }
}

/// Applies a kernel with M results to tensors.
pub(crate) fn apply_multi<const R: usize, const M: usize>(
    kernel: impl MultiOutputKernel,
    inputs: impl Into<Vec<DispatchTensor>>,
) -> [Tensor<R>; M] {
    let exchange = Exchange::default();
    let whole: Tensor<1> = apply(MultiOutput { kernel, exchange: exchange.clone() }, inputs);
    let part = |index| apply(OutputOf { index, exchange: exchange.clone() }, [whole.clone().into_dispatch()]);
    std::array::from_fn(part)
}
