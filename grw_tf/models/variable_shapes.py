"""Shapes of variables by name, collected layer by layer without building them."""


class VariableShapes(dict):
    """Shapes by name, in the order of the layers; a MoViNet has a `conv_type`."""

    def __init__(self, conv_type: str | None = None) -> None:
        super().__init__()
        self._conv_type = conv_type

    def convolution(
        self, name: str, kernel_size: tuple[int, ...], inputs: int, outputs: int
    ) -> None:
        """Adds a convolution and its batch norm; depthwise if `inputs` is 1.

        A kernel over time and space is two convolutions in the (2+1)D types.
        """
        time, height, width = kernel_size
        if self._conv_type == "3d" or time == 1:
            parts = {"": kernel_size}
        else:
            parts = {"": (1, height, width), "_temporal": (time, 1, 1)}
        for suffix, size in parts.items():
            self._kernel(f"{name}/_conv{suffix}", size, inputs, outputs)
            for statistic in ("gamma", "beta", "moving_mean", "moving_variance"):
                self[f"{name}/_batch_norm{suffix}/{statistic}"] = (outputs,)

    def pointwise_with_bias(self, name: str, inputs: int, outputs: int) -> None:
        """Adds a convolution of kernel size 1 with a bias and no batch norm."""
        kernel = self._kernel(f"{name}/_conv", (1, 1, 1), inputs, outputs)
        self[kernel.rpartition("/")[0] + "/bias"] = (outputs,)

    def dense(self, name: str, inputs: int, outputs: int) -> None:
        """Adds a dense layer."""
        self[f"{name}/kernel"] = (inputs, outputs)
        self[f"{name}/bias"] = (outputs,)

    def layer_norm(self, name: str, channels: int) -> None:
        """Adds a layer normalization."""
        self[f"{name}/gamma"] = (channels,)
        self[f"{name}/beta"] = (channels,)

    def _kernel(self, name, size, inputs, outputs):
        time, height, width = size
        if self._conv_type != "2plus1d":
            name, shape = f"{name}/kernel", (*size, inputs, outputs)
        elif inputs == 1:
            name = f"{name}/_conv/depthwise_kernel"
            shape = (time * height, width, outputs, 1)
        else:
            name = f"{name}/_conv/kernel"
            shape = (time * height, width, inputs, outputs)
        self[name] = shape
        return name
