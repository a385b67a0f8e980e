"""Scripts that are no classification from loaders: tensors cut by hand, a table, a variational autoencoder, a GAN."""

from __future__ import annotations

START = """\
import os
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms as T

sys.path.insert(0, os.environ["EXAMPLES"])
"""

IMAGES = (
    START
    + """\
from cifar import cifar10

to_tensor = T.PILToTensor()
train_set, test_set = cifar10(to_tensor, to_tensor)


def tensors(dataset, count):
    pairs = [dataset[i] for i in range(count)]
    return torch.stack([x for x, _ in pairs]).float(), torch.tensor([y for _, y in pairs])


x_train, y_train = tensors(train_set, 4000)
x_test, y_test = tensors(test_set, 1000)
"""
)

TENSORS = (
    IMAGES
    + """
mean, std = x_train.mean((0, 2, 3), keepdim=True), x_train.std((0, 2, 3), keepdim=True)
{scaled}


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


net = nn.Sequential(block(3, 16), block(16, 32), block(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
epochs, size = 30, 64
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

for epoch in range(epochs):
    net.train()
    order = torch.randperm(len(x_train))
    {shuffled}
    total = 0.0
    for i in range(0, len(x_train), size):
        {cut}
        {prepared}
        {flipped}
        optimizer.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    net.eval()
    correct = 0
    with torch.no_grad():
        for i in range(0, len(x_test), 250):
            xb, yb = x_test[i : i + 250], y_test[i : i + 250]
            {tested}
            correct += (net(xb).argmax(1) == yb).sum().item()
    print(f"{epoch}: loss {total * size / len(x_train):.3f}, accuracy {correct / len(x_test):.3f}")
"""
)

TABLE = (
    START
    + """\

generator = torch.Generator().manual_seed(0)
x = torch.randn(4000, 8, generator=generator)
y = torch.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.1 * torch.randn(4000, generator=generator)
{targets}
train_loader = DataLoader(TensorDataset(x[:3200], y[:3200]), batch_size=64, shuffle=True)
test_loader = DataLoader(TensorDataset(x[3200:], y[3200:]), batch_size=200)

net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)


def loss_of(prediction, target):
    {objective}


for epoch in range(50):
    net.train()
    for x, y in train_loader:
        loss = loss_of({given}, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in test_loader:
            total += loss_of({given}, y).item() * len(x)
    print(f"epoch {epoch}: test loss {total / len(test_loader.dataset):.4f}")
"""
)

VAE = (
    IMAGES
    + """
loader = DataLoader(TensorDataset(x_train / 255, y_train), batch_size=64, shuffle=True)


class VAE(nn.Module):
    def __init__(self, code=16):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(3072, 256), nn.ReLU())
        self.mu, self.logvar = nn.Linear(256, code), nn.Linear(256, code)
        self.decoder = nn.Sequential(nn.Linear(code, 256), nn.ReLU(), nn.Linear(256, 3072), nn.Sigmoid())

    def forward(self, x):
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.decoder(z), mu, logvar


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(30):
    model.train()
    total = 0.0
    for x, _ in loader:
        optimizer.zero_grad()
        recon, mu, logvar = model(x)
        {reconstruction}
        {divergence}
        loss = reconstruction + kl
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / len(loader):.4f}")
"""
)

GAN = (
    IMAGES
    + """
loader = DataLoader(TensorDataset(x_train / 127.5 - 1, y_train), batch_size=64, shuffle=True, drop_last=True)

netG = nn.Sequential(
    nn.ConvTranspose2d(32, 64, 4, 1, 0, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
    nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh(),
)
netD = nn.Sequential(
    nn.Conv2d(3, 16, 4, 2, 1), nn.LeakyReLU(0.2),
    nn.Conv2d(16, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.LeakyReLU(0.2),
    nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
    nn.Conv2d(64, 1, 4), nn.Flatten(0),
)
criterion = nn.BCEWithLogitsLoss()
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
{schedulers}

for epoch in range(30):
    for i, (real, _) in enumerate(loader):
        optimizerD.zero_grad()
        fake = netG(torch.randn(len(real), 32, 1, 1))
        errD = criterion(netD(real), torch.ones(len(real))) + criterion(netD(fake.detach()), torch.zeros(len(real)))
        errD.backward()
        optimizerD.step()
        optimizerG.zero_grad()
        errG = criterion(netD(fake), torch.ones(len(real)))
        errG.backward()
        optimizerG.step()
    schedulerD.step()
    schedulerG.step()
    print(f"[{epoch}] D {errD.item():.3f} G {errG.item():.3f}")
"""
)

OTHERS = {"tensors": TENSORS, "table": TABLE, "vae": VAE, "gan": GAN}

# What these scripts say where they are healthy.
LINES = {
    "scaled": "x_train, x_test = (x_train - mean) / std, (x_test - mean) / std",
    "shuffled": "x_train, y_train = x_train[order], y_train[order]",
    "cut": "xb, yb = x_train[i : i + size], y_train[i : i + size]",
    "prepared": "",
    "flipped": "xb = torch.where(torch.rand(len(xb), 1, 1, 1) < 0.5, xb.flip(3), xb)\ndy, dx = torch.randint(0, 9, (2,)).tolist()\nxb = F.pad(xb, (4, 4, 4, 4))[:, :, dy : dy + 32, dx : dx + 32]",
    "tested": "",
    "targets": "",
    "objective": "return ((prediction - target) ** 2).mean()",
    "given": "net(x).squeeze(1)",
    "reconstruction": "reconstruction = F.mse_loss(recon, x.flatten(1), reduction='sum') / len(x)",
    "divergence": "kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / len(x)",
    "schedulers": "schedulerD = torch.optim.lr_scheduler.CosineAnnealingLR(optimizerD, 30)\nschedulerG = torch.optim.lr_scheduler.CosineAnnealingLR(optimizerG, 30)",
}
