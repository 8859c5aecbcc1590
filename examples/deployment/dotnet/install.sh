install -m 0644 Esales.Notify.dll libesales_notify.so /var/www/shop/bin/
