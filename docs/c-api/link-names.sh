#!/bin/sh
# Doxygen's filter for the C header: marks the names of the API in comments as links.
exec sed -E '/^ *(\/\*\*|\*)/ s/(^|[^#A-Za-z_])((esales_|ESALES_)[a-z]+[a-z_]*|ESALES_[A-Z]+[A-Z_]*)([^A-Za-z_*]|$)/\1#\2\4/g' "$1"
