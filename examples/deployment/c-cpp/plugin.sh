cc -Iinclude plugin.c -ldl -o bin/plugin
LD_LIBRARY_PATH=lib bin/plugin
