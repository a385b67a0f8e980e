"""Report -> text. Renderers draw; they decide nothing."""
