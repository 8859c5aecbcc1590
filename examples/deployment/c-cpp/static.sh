cc -Iinclude shop.c lib/libesales_notify.a -pthread -ldl -lm -o bin/shop
c++ -std=c++17 -Iinclude shop.cpp lib/libesales_notify.a -pthread -ldl -lm -o bin/shop-cpp
