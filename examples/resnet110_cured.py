"""The same ResNet-110, cured: the recipe of He et al. 2015 (arXiv:1512.03385, section 4.2), about 93 % on CIFAR-10.

trainingdoctor diagnose examples/resnet110_cured.py
"""

import torch
from cifar import cifar10
from torch import nn
from torch.optim.lr_scheduler import LinearLR, MultiStepLR, SequentialLR
from torch.utils.data import DataLoader
from torchvision import transforms

from trainingdoctor.reference.resnet import resnet110

normalize = transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
augment = transforms.Compose(
    [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        normalize,
    ]
)
train_set, test_set = cifar10(augment, transforms.Compose([transforms.ToTensor(), normalize]))
train_loader = DataLoader(train_set, batch_size=128, shuffle=True)
val_loader = DataLoader(test_set, batch_size=256)

model = resnet110()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
epochs = 164  # 64k iterations
# One epoch at a tenth of the rate: at 0.1 from the first step so deep a net learns nothing for a while.
warmup = LinearLR(optimizer, start_factor=0.1, end_factor=1.0, total_iters=1)
scheduler = SequentialLR(optimizer, [warmup, MultiStepLR(optimizer, milestones=[80, 121])], milestones=[1])
