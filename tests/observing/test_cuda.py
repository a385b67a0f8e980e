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
