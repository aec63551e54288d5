"""How Gradio's own controls look: system letters, one accent, contrast that can be read; nothing is fetched."""

from __future__ import annotations

import gradio as gr

_SYSTEM = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> gr.themes.Base:
    """The theme of the page; `page.css` names the same colours."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=_SYSTEM,
        font_mono=_MONO,
    ).set(
        body_text_color="#1b1f24",
        body_text_color_dark="#e6e9ed",
        body_text_color_subdued="#57606a",
        body_text_color_subdued_dark="#a7b0ba",
        block_label_text_color="#3b434b",
        block_label_text_color_dark="#c3cad2",
        block_title_text_color="#1b1f24",
        block_title_text_color_dark="#e6e9ed",
        block_info_text_color="#57606a",
        block_info_text_color_dark="#a7b0ba",
        input_placeholder_color="#6a737d",
        input_placeholder_color_dark="#8f9aa5",
        body_background_fill="#ffffff",
        body_background_fill_dark="#13171b",
        block_background_fill="#ffffff",
        block_background_fill_dark="#13171b",
        background_fill_primary_dark="#13171b",
        background_fill_secondary="#f5f7f9",
        background_fill_secondary_dark="#1b2026",
        border_color_primary="#d8dee4",
        border_color_primary_dark="#333b44",
        button_primary_background_fill="#0b5cad",
        button_primary_background_fill_dark="#79b8ff",
        button_primary_background_fill_hover="#094c8f",
        button_primary_background_fill_hover_dark="#a3cfff",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0d1117",
        link_text_color="#0b5cad",
        link_text_color_dark="#79b8ff",
    )
