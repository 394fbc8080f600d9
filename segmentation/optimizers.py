"""The optimizers that Keras lacks: AdamW in few operations, and Muon for convolution kernels."""

from typing import Any

import keras
from keras import ops

from segmentation.networks.layers import PACKAGE

# Keller Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024: five steps of this quintic bring the
# singular values of a matrix near 1. The momentum is from there too.
QUINTIC, QUINTIC_STEPS = (3.4445, -4.7750, 2.0315), 5
MUON_MOMENTUM = 0.95
# Liu et al., "Muon is scalable for LLM training", 2025, section 2.2: with it an update is about as large as AdamW's,
# so that both share one learning rate and one weight decay.
MUON_SCALE = 0.2


@keras.saving.register_keras_serializable(PACKAGE)
class AdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019) of kernels, but not of biases and norms.

    Keras's own AdamW adds about forty small operations to the graph for every weight. In FC-DenseNet those are three
    quarters of the graph that TensorFlow traces and optimizes before the first step. This one adds one operation.
    """

    def __init__(self, *args: Any, decay: float = 0.004, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decay = decay

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the weights and their moments by their gradients."""
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
        """Update one weight: decay, then the step along the gradient."""
        if len(variable.shape) > 1:
            self.assign_sub(variable, variable * (learning_rate * self.decay))
        self.update_by_gradient(gradient, variable, learning_rate)

    def update_by_gradient(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one weight by its gradient, without decay."""
        if keras.config.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        index = self._get_variable_index(variable)
        moments = self._momentums[index].value, self._velocities[index].value
        handles = {name: value.handle for name, value in zip(("var", "m", "v"), (variable, *moments), strict=True)}
        tf.raw_ops.ResourceApplyAdam(grad=gradient, lr=learning_rate, **handles, **self._common)

    def get_config(self) -> dict:
        """Return the configuration for the model file."""
        return {**super().get_config(), "decay": self.decay}


@keras.saving.register_keras_serializable(PACKAGE)
class Muon(AdamW):
    """Momentum with orthogonalised steps for kernels that mix channels; AdamW for all other weights.

    A kernel (height, width, inputs, outputs) is treated as the matrix (height x width x inputs, outputs). A kernel of
    a transposed convolution, whose inputs come last in Keras, is treated the same way. AdamW's steps are large in a
    few directions of that matrix; these are equally large in all. `keras.optimizers.Muon` covers dense layers only.
    Depthwise kernels do not mix channels.
    """

    def update_by_gradient(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one weight by its gradient, without decay."""
        if len(variable.shape) != 4 or variable.shape[-1] == 1:
            super().update_by_gradient(gradient, variable, learning_rate)
            return
        momentum = self._momentums[self._get_variable_index(variable)]
        self.assign(momentum, MUON_MOMENTUM * momentum + gradient)
        matrix = ops.reshape(gradient + MUON_MOMENTUM * momentum, (-1, variable.shape[-1]))
        scale = MUON_SCALE * max(matrix.shape) ** 0.5
        step = ops.reshape(orthogonalize(matrix), variable.shape)
        self.assign_sub(variable, step * (learning_rate * scale))


def orthogonalize(matrix: Any) -> Any:
    """Return the matrix with its singular values brought to about 1 (0.7 to 1.2) by a Newton-Schulz iteration."""
    if matrix.shape[0] < matrix.shape[1]:
        return ops.transpose(orthogonalize(ops.transpose(matrix)))
    a, b, c = QUINTIC
    matrix = matrix / (ops.norm(matrix) + 1e-7)
    for _ in range(QUINTIC_STEPS):
        gram = ops.matmul(ops.transpose(matrix), matrix)
        matrix = a * matrix + ops.matmul(matrix, b * gram + c * ops.matmul(gram, gram))
    return matrix
