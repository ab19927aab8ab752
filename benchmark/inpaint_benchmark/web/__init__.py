"""Many raters at once against a running web server: is anything lost or doubled, and how long does a save take?"""
