# /var/www/shop/gunicorn.conf.py
bind = "127.0.0.1:8000"
workers = 4
threads = 4
preload_app = True
max_requests = 5000
max_requests_jitter = 500
graceful_timeout = 30
