"""What is here besides tests runs in processes of its own: importing it would shut other array libraries out of this one."""

collect_ignore = ["alone.py", "calls.py", "measure.py", "page.py", "plugin.py", "sklearn_calls.py", "sklearn_plugin.py"]
