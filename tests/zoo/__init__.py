"""Tests of the zoo room."""
