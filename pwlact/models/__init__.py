"""Convolutional nets and perceptrons whose activations are made by a factory."""

from pwlact.models.architectures import ARCHITECTURES, build
from pwlact.models.layers import ActivationFactory, activations
from pwlact.models.mlp import MLP
from pwlact.models.resnet import PreActivationResNet
from pwlact.models.vgg import VGG

__all__ = ["ARCHITECTURES", "MLP", "VGG", "ActivationFactory", "PreActivationResNet", "activations", "build"]
