"""AdamW whose update of a weight is one operation on TensorFlow."""

from typing import Any

import keras
from keras import ops

from segmentation.networks.layers import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class AdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019), of kernels alone: not of biases and norms.

    Keras writes an update as forty small operations, for every weight anew. In FC-DenseNet those are three quarters of
    the graph that TensorFlow has to trace and optimise before the first step.
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
