install -d -o www-data -g www-data -m 0700 /var/lib/esales-notify
