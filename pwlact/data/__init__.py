"""Data: CIFAR-10, handwritten letters, batches of images, a user's own samples, and generated stand-ins."""

from pwlact.data.batches import Batches as Batches
from pwlact.data.batches import channel_statistics as channel_statistics
from pwlact.data.cifar10 import Cifar10 as Cifar10
from pwlact.data.cifar10 import find as find
from pwlact.data.cifar10 import load as load
from pwlact.data.cifar10 import split as split
from pwlact.data.fetch import FetchError as FetchError
from pwlact.data.fetch import fetch_cifar10 as fetch_cifar10
from pwlact.data.images import Images as Images
from pwlact.data.letters import LetterImages as LetterImages
from pwlact.data.letters import Letters as Letters
from pwlact.data.letters import load_letters as load_letters
from pwlact.data.letters import max_pool as max_pool
from pwlact.data.samples import read_samples as read_samples
from pwlact.data.synthetic import cifar_shaped as cifar_shaped
from pwlact.data.synthetic import write_binary as write_binary
