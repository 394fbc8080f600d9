"""The optimizers that Keras lacks: AdamW in few operations, and Muon for kernels of convolutions."""

from typing import Any

import keras
from keras import ops

from segmentation.networks.layers import PACKAGE

# Keller Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024: five steps of this quintic bring the
# singular values of a matrix near 1. The momentum is its too.
QUINTIC, QUINTIC_STEPS = (3.4445, -4.7750, 2.0315), 5
MUON_MOMENTUM = 0.95
# Liu et al., "Muon is scalable for LLM training", 2025, section 2.2: with it an update is as large as AdamW's usually
# are, so that both share one learning rate and one decay.
MUON_SCALE = 0.2


@keras.saving.register_keras_serializable(PACKAGE)
class AdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), of kernels alone: not of biases and norms.

    Keras writes an update as forty small operations, for every weight anew. In FC-DenseNet those are three quarters of
    the graph that TensorFlow has to trace and optimise before the first step; here it is one operation a weight.
    """

    def __init__(self, *args: Any, decay: float = 0.004, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decay = decay

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Move the weights, and their moments, by their gradients."""
        step = ops.cast(self.iterations + 1, "float32")
        self._common = {
            "beta1_power": ops.power(self.beta_1, step),
            "beta2_power": ops.power(self.beta_2, step),
            "beta1": ops.convert_to_tensor(self.beta_1, "float32"),
            "beta2": ops.convert_to_tensor(self.beta_2, "float32"),
            "epsilon": ops.convert_to_tensor(self.epsilon, "float32"),
        }
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one weight."""
        if len(variable.shape) > 1:
            self.assign_sub(variable, variable * (learning_rate * self.decay))
        self.follow(gradient, variable, learning_rate)

    def follow(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one weight by its gradient."""
        if keras.config.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        moments = self._momentums[index].value, self._velocities[index].value
        handles = {name: value.handle for name, value in zip(("var", "m", "v"), (variable, *moments), strict=True)}
        tf.raw_ops.ResourceApplyAdam(grad=gradient, lr=learning_rate, **handles, **self._common)

    def get_config(self) -> dict:
        """For the model file."""
        return {**super().get_config(), "decay": self.decay}


@keras.saving.register_keras_serializable(PACKAGE)
class Muon(AdamW):
    """Momentum whose steps are orthogonalised, for kernels that mix maps; AdamW for all other weights.

    A kernel (height, width, maps in, maps out) is taken for the matrix (height x width x maps in, maps out), one of a
    transposed convolution likewise with maps in last, as Keras has it. Where AdamW's steps are large in a few
    directions of the matrix, these are equally large in all. `keras.optimizers.Muon` does so for dense layers alone.
    Depthwise kernels mix no maps.
    """

    def follow(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one weight by its gradient."""
        if len(variable.shape) != 4 or variable.shape[-1] == 1:
            super().follow(gradient, variable, learning_rate)
            return
        momentum = self._momentums[self._get_variable_index(variable)]
        self.assign(momentum, MUON_MOMENTUM * momentum + gradient)
        matrix = ops.reshape(gradient + MUON_MOMENTUM * momentum, (-1, variable.shape[-1]))
        size = MUON_SCALE * max(matrix.shape) ** 0.5
        step = ops.reshape(orthogonalize(matrix), variable.shape)
        self.assign_sub(variable, step * (learning_rate * size))


def orthogonalize(matrix: Any) -> Any:
    """The matrix with its singular values brought to about 1 (0.7 to 1.2), by Newton and Schulz's iteration."""
    if matrix.shape[0] < matrix.shape[1]:
        return ops.transpose(orthogonalize(ops.transpose(matrix)))
    a, b, c = QUINTIC
    matrix = matrix / (ops.norm(matrix) + 1e-7)
    for _ in range(QUINTIC_STEPS):
        gram = ops.matmul(ops.transpose(matrix), matrix)
        matrix = a * matrix + ops.matmul(matrix, b * gram + c * ops.matmul(gram, gram))
    return matrix
