"""A ResNet-110 on CIFAR-10 in the recipe of those who end in the seventies, where 93 % is normal (its own end is not measured yet).

    trainingdoctor diagnose examples/resnet110_77.py

The architecture is right; the recipe is not: no augmentation, a high rate that never decays, no weight decay, and a
BatchNorm momentum copied from a framework where 0.99 means what 0.01 means here.
"""

import torch
from cifar import cifar10
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

from trainingdoctor.reference.resnet import resnet110

to_input = transforms.Compose(
    [
        transforms.ToTensor(),
        transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    ]
)
train_set, test_set = cifar10(to_input, to_input)
train_loader = DataLoader(train_set, batch_size=128, shuffle=True)
val_loader = DataLoader(test_set, batch_size=256)

model = resnet110()
for module in model.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.momentum = 0.99

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
epochs = 164
