cc -Iinclude shop.c -Llib -lesales_notify -Wl,-rpath,'$ORIGIN/../lib' -o bin/shop
