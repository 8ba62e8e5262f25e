"""Where a model comes from: a local folder, or a model hub. What is in the folder is not read here.

Reading it is `checkpoint`'s work, serving it the command's.
"""
