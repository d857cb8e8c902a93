"""Tables, images, sound and figures: values that become files, and come back from them.

`values` says what they share, `content` holds their bytes, `kinds` knows them by name. They know of no artifact and no run:
whoever keeps one hands it a `Keep`, whoever reads one back an opened file.
"""
