"""What the command asks a cluster, and how it shows the answers.

It reads MoEServices, pods, logs and events, and approves plans; all else is the operator's work.
"""
