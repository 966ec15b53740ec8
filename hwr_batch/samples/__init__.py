"""The bundled sample lines."""
