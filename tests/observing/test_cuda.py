"""What scripts ask of a GPU, where there is none."""

import pytest
import torch

from trainingdoctor.observing.cuda import on_cpu


@pytest.mark.skipif(torch.cuda.is_available(), reason="scripts then get the GPU that they ask for")
def test_events_and_streams_go_by_the_processor() -> None:
    event = torch.cuda.Event
    with on_cpu():
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        copying = torch.cuda.Stream()
        with torch.cuda.stream(copying):
            batch = torch.ones(2).cuda(non_blocking=True)
        torch.cuda.current_stream().wait_stream(copying)
        batch.record_stream(torch.cuda.current_stream())
        end.record()
        torch.cuda.synchronize()
        assert 0 <= begin.elapsed_time(end) < 1e4
        assert end.query()
    assert torch.cuda.Event is event


@pytest.mark.filterwarnings("ignore:torch.set_default_tensor_type:UserWarning")
@pytest.mark.skipif(torch.cuda.is_available(), reason="scripts then get the GPU that they ask for")
def test_tensor_types_of_cuda_are_those_of_the_processor() -> None:
    kind = torch.cuda.FloatTensor
    with on_cpu():
        margins = torch.cuda.FloatTensor([0.5, 0.25])
        images = torch.ones(2, dtype=torch.uint8).type(torch.cuda.FloatTensor)
        model = torch.nn.Linear(2, 1).type("torch.cuda.DoubleTensor")
        torch.set_default_tensor_type("torch.cuda.FloatTensor")
        assert (margins.device.type, images.dtype, model.weight.dtype) == ("cpu", torch.float32, torch.float64)
    assert torch.cuda.FloatTensor is kind


@pytest.mark.skipif(torch.cuda.is_available(), reason="scripts then get the GPU that they ask for")
def test_only_the_users_code_is_told_of_a_gpu_that_is_claimed() -> None:
    with on_cpu() as asked:
        assert not torch.cuda.is_available()
    assert asked.denied
    with on_cpu(claimed=True) as asked:
        assert torch.cuda.is_available()
        assert torch.cuda.get_device_properties(0).name == "cpu"
        # Inside, torch asks as well, and would initialize the device.
        with torch.random.fork_rng():
            torch.manual_seed(0)
    assert not asked.denied
