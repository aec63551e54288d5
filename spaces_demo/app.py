"""The Space: the web page of `hf_crosssight`, served by the Hub; `hf-crosssight space` serves it locally."""

from hf_crosssight.space.launch import serve

serve(host="0.0.0.0", port=7860)
